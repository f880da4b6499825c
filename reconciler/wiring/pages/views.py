"""The pages' questions, answered. Implements `web.pages.views.Views`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.report.escape import format_time
from reconciler.wiring.pages import browsing, here, past, sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from reconciler.settings import Settings
    from reconciler.web.operations import Heartbeat
    from reconciler.wiring.host import Parts

    Answer = dict[str, Any]
    Asked = Mapping[str, str]


class HostViews:
    """For any thread. `state` is the state folder, `name` this host's; `status` and `beats` say how it is."""

    def __init__(
        self,
        settings: Settings,
        state: Path,
        name: str,
        parts: Parts,
        status: Callable[[], Mapping[str, Any]],
        beats: Callable[[], Sequence[Heartbeat]],
    ) -> None:
        self._settings, self._state, self._name, self._parts = settings, state, name, parts
        self._status, self._beats = status, beats

    def heading(self) -> Answer:
        """What stands on every page."""
        return self._heading(self._status())

    def overview(self) -> Answer:
        """How this host stands, and what happened lately."""
        status = self._status()
        return {"host": self._heading(status), "status": dict(status), **past.lately(self._parts)}

    def kinds(self) -> Answer:
        """The kinds, and how many live rows each has."""
        return self._page(browsing.kinds(self._parts.keeper))

    def rows(self, kind: str, asked: Asked) -> Answer:
        """A page of the live rows of a kind."""
        return self._page(browsing.rows(self._parts.keeper, kind, asked))

    def resource(self, kind: str, name: str) -> Answer:
        """A live row beside what git says, with its history."""
        return self._page(browsing.resource(self._parts, kind, name))

    def versions(self, asked: Asked) -> Answer:
        """The recorded commits that filters let through."""
        return self._page(past.versions(self._parts, asked))

    def version(self, revision: str) -> Answer:
        """One of them."""
        return self._page(past.version(self._parts, revision))

    def drift(self) -> Answer:
        """Where the live rows are not what git says."""
        status = self._status()
        return {"host": self._heading(status), "scan": status["drift"], **browsing.drift(self._parts.keeper)}

    def sessions(self, asked: Asked) -> Answer:
        """Who is signed in, or why that is not known here."""
        return self._page(sessions.listed(self._settings, self._state, self._parts.keeper, asked))

    def events(self, asked: Asked) -> Answer:
        """What this host did."""
        return self._page(here.events(self._parts.keeper, asked))

    def host(self) -> Answer:
        """This host's health."""
        status = self._status()
        found = here.health(self._settings, self._state, self._beats(), self._parts.clock.now())
        return {"host": self._heading(status), "status": dict(status), **found}

    def _page(self, answer: Answer) -> Answer:
        return {"host": self.heading(), **answer}

    def _heading(self, status: Mapping[str, Any]) -> Answer:
        applied = status["applied"]
        return {
            "name": self._name,
            "repository": status["repository"],
            "branch": status["branch"],
            "sync": status["sync"],
            "health": status["health"],
            "applied": applied and applied["commit"],
            "at": format_time(self._parts.clock.now()),
        }
