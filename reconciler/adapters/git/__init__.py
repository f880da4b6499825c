"""The git source: port `Source` on git's own plumbing, driven through GitPython. The one package that starts git.

Nothing here writes to a repository, goes to the network, or runs anything that a repository or its configuration
names (hooks, monitors, filters, diff drivers, pagers, signature programs).
"""
