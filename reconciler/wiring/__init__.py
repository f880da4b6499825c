"""The composition root: what opens a working tree, asks a host, and is the host in this process.

Only these modules know both the services and the drivers.
"""
