"""The HTTP side of a daemon. It knows the daemon by one protocol, `operations.Operations`, and no adapter.

starlette and uvicorn are imported here and nowhere else: nothing but a daemon needs them.
"""
