"""Telling people what happens on a host: transitions, the messages made of them, what waits, and who is sent what.

`transitions`, `messages`, `comment` and `outbox` are values in, values out. Senders speak HTTP through
`adapters.outgoing`; the thread that owns all of it is `daemon/notifier.py`.
"""
