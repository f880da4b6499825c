"""Whoever runs the program."""

from __future__ import annotations

from getpass import getuser


def user_name() -> str:
    """The name of whoever runs this; a container may have none for them."""
    try:
        return getuser()
    except (OSError, KeyError, ImportError):
        return "somebody without a name"
