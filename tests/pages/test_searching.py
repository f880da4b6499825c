"""Searches that many ask for at once: pages that are read do not wait behind them."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import Request

from reconciler.service.events import EventBuffer
from reconciler.web.auth import Deadlines
from reconciler.web.pages.routes import SEARCHES, PageRoutes
from reconciler.web.waiting import EventHub, Waiting
from tests.support.patience import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping


class Slow:
    """Pages of a host on which a search takes until the gate is open."""

    def __init__(self) -> None:
        self.gate, self.begun = threading.Event(), list[str]()

    def search(self, query: Mapping[str, str]) -> dict[str, Any]:
        self.begun.append(query["q"])
        self.gate.wait(NEVER)
        return {"q": query["q"]}

    def host(self) -> dict[str, Any]:
        return {}


def asked(page: str, query: str = "", *, is_gone: bool = False) -> Request:
    """A request, and whether its client has hung up."""

    async def receive() -> Any:
        if not is_gone:
            await asyncio.sleep(NEVER)
        return {"type": "http.disconnect"}

    path = f"/{page}.json"
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": []}
    return Request(scope | {"query_string": query.encode()}, receive)


def test_searches_leave_threads_to_other_pages_and_those_that_were_given_up_are_not_made() -> None:
    pages = Slow()

    async def look() -> None:
        routes = PageRoutes(cast("Any", pages), Waiting(EventHub(EventBuffer())), Deadlines())
        typed = [asked("search", f"q={letter}", is_gone=letter in "cde") for letter in "abcdef"]
        searches = [asyncio.create_task(routes.search(one)) for one in typed]
        assert (await routes.host(asked("host"))).status_code == 200
        assert len(pages.begun) <= SEARCHES
        pages.gate.set()
        replies = [reply.status_code for reply in await asyncio.gather(*searches)]
        assert replies == [200, 200, 204, 204, 204, 200]
        routes.close()

    asyncio.run(look())
    assert sorted(pages.begun) == ["a", "b", "f"]
