"""Redis or Valkey: sessions, the live view, and the server that comes with the program. Standalone, 7.0 or newer.

What has to happen at once is a Lua script in `lua/`. A script finds the keys of an owner in a session's record, so
they cannot all be declared: a cluster, which needs that, is not supported.
"""
