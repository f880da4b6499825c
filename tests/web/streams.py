"""A reader of server-sent events, by the rules of the HTML standard."""

from __future__ import annotations

import http.client
import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.support.patience import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Iterator


class Told(NamedTuple):
    """An event; `id` is the newest id that was told until then, of this event or before."""

    event: str
    data: Any
    id: str


class Stream:
    """One open stream."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.id = self.retry = ""
        self.comments: list[str] = []

    def next(self) -> Told | None:
        """The next event; None at the end of the stream."""
        event, data = "message", []
        while line := self.response.readline():
            field, _, value = line.decode().rstrip("\n").partition(":")
            value = value.removeprefix(" ")
            if not field and not value and line == b"\n":
                if data:
                    return Told(event, json.loads("\n".join(data)), self.id)
                event, data = "message", []
            elif not field:
                self.comments.append(value)
            elif field == "id":
                self.id = value
            elif field == "event":
                event = value
            elif field == "data":
                data.append(value)
            elif field == "retry":
                self.retry = value
        return None

    def placed(self) -> str:
        """The id of a stream's place, which comes first of all."""
        while not self.id:
            line = self.response.readline().decode()
            assert line, "the stream ended"
            found = re.fullmatch("(id|retry): (.*)\n", line)
            if found:
                setattr(self, found[1], found[2])
        assert self.response.readline() == b"\n"
        return self.id


@contextmanager
def watching(address: str, query: str = "", timeout: float = DEADLINE, **headers: str) -> Iterator[Stream]:
    """A stream of a server; underscores in header names are dashes."""
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", f"/v1/watch{query}", headers=named)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        yield Stream(response)
    finally:
        connection.close()
