"""Every question about a host, answered once: commands, HTTP and pages call it.

Plain classes over a context that has two makers, one for a command in this process and one for the daemon. Nothing here
knows a transport, prints or exits, and no module imports an adapter.
"""
