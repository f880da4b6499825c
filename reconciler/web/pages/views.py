"""What the pages ask of the daemon behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    Answer = dict[str, Any]
    Asked = Mapping[str, str]
    """The parameters of an address, as they were given."""


class Views(Protocol):
    """Each gives all that one page shows, as the JSON object that its twin answers with.

    They may take their time: they are called on other threads, several at once. What does not exist raises
    `UsageError`, what cannot be had now other `ReconcilerError`s. A history that is off or away raises nothing where
    the page can do without: the answer says why in `without_history`.
    """

    def heading(self) -> Answer:
        """What stands on every page: this host's name, and how it is."""
        ...

    def overview(self) -> Answer:
        """How this host stands, and what happened lately."""
        ...

    def kinds(self) -> Answer:
        """The kinds, and how many live rows each has."""
        ...

    def rows(self, kind: str, asked: Asked) -> Answer:
        """A page of the live rows of a kind: those that `q` and the other parameters find."""
        ...

    def resource(self, kind: str, name: str) -> Answer:
        """A live row beside what git says, with its history."""
        ...

    def versions(self, asked: Asked) -> Answer:
        """The recorded commits that filters let through."""
        ...

    def version(self, revision: str) -> Answer:
        """One of them: what it changed, or what is wrong with it."""
        ...

    def drift(self) -> Answer:
        """Where the live rows are not what git says."""
        ...

    def sessions(self, asked: Asked) -> Answer:
        """Who is signed in, or why that is not known here."""
        ...

    def events(self, asked: Asked) -> Answer:
        """What this host did."""
        ...

    def host(self) -> Answer:
        """This host's health."""
        ...
