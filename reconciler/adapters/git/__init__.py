"""The git source: port `Source` on streams of git's own plumbing. The one package that starts git.

Nothing here writes to a repository of others or runs anything that a repository or its configuration names (hooks,
monitors, filters, diff drivers, pagers, signature programs). Only `mirror` goes to the network, to one address.
"""
