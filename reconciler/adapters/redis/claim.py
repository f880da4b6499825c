"""Which of several hosts that share a server writes the live view: the one whose commit is highest, while it lives.

`config:keeper` holds its height and name, and ends by itself. See docs/decisions/0022-one-host-keeps-the-live-view.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.adapters.redis.link import script

if TYPE_CHECKING:
    from reconciler.adapters.redis.link import Link

SILENCE = 10_000
"""Milliseconds without a word of whoever writes, after which another host may."""


class Claim:
    """The claim of one host, by a name that no other host has."""

    def __init__(self, link: Link, name: str, silence: int = SILENCE) -> None:
        self._link, self._name, self._silence = link, name, silence

    def __call__(self, height: int) -> str:
        """Claim the view for a commit of this height: empty when it may be written, else the name of who writes it."""
        arguments = (self._name, height, self._silence)
        kept: bytes = self._link.run(script("when_full", "view_claim"), ("config:keeper",), arguments)
        return kept.decode(errors="replace")
