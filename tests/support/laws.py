"""How many examples a law is tried on: a fifth in `make test`, half in `make slow`, all of them in `make soak`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

PROFILE = "HYPOTHESIS_PROFILE"
SHARES = {"quick": 5, "full": 2, "soak": 1}
"""By which part of its examples a law is tried, by the profile that $HYPOTHESIS_PROFILE names."""
USUAL = 100
"""The examples of a law that says no number."""


def examples(number: int, *, quick: int | None = None) -> int:
    """Of so many examples the part that the profile asks for; `quick` is how many a dear law gets in `make test`."""
    if quick is not None and _profile() == "quick":
        return quick
    return -(-number // SHARES[_profile()])


def load_profile() -> None:
    """Make the profile that the environment names hypothesis' own."""
    for name, share in SHARES.items():
        settings.register_profile(
            name,
            max_examples=-(-USUAL // share),
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
            print_blob=True,
            derandomize=True,
        )
    settings.load_profile(_profile())


def _profile() -> str:
    return os.environ.get(PROFILE, "quick")
