"""Where the primary is: Sentinels know, and tell it for each new connection.

A connection ends when its server is no primary any more, so the next call asks again. Of Sentinels that do not answer
each costs a time-out, once: the one that answered last is asked first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import redis
from redis import exceptions as driver

from reconciler.adapters.redis.faults import translate_errors
from reconciler.adapters.redis.url import SETTING, format_node
from reconciler.errors import NeedsHuman, RetryLater

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.adapters.redis.url import ServerUrl

    Node = tuple[str, int]

CALLED = "Sentinel"
PASSWORD_HINT = f"write it in {SETTING}: ?sentinel_password=PASSWORD, with sentinel_username where it has logins"


class Sentinels:
    """The Sentinels of a URL; `options` are those of the driver. Safe between threads: nothing stays open."""

    def __init__(self, server: ServerUrl, options: Mapping[str, Any]) -> None:
        self.nodes, self.service = server.nodes, server.service
        self._class = redis.SSLConnection if server.tls else redis.Connection
        self._options = options
        self._order = list(server.nodes)
        self.primary: Node | None = None

    def find_primary(self) -> Node:
        """Where the primary is, as the first one says that knows.

        Raises `RetryLater` when none answers, `NeedsHuman` when none knows the service, or wants another login.
        """
        silent: list[RetryLater] = []
        refused: NeedsHuman | None = None
        strangers = 0
        for node in tuple(self._order):
            try:
                found = self.ask(node, "GET-MASTER-ADDR-BY-NAME", self.service)
            except RetryLater as error:
                silent.append(error)
            except NeedsHuman as error:
                refused = error
            else:
                if found:
                    host, port = found
                    self._order = [node, *(one for one in self._order if one != node)]
                    self.primary = host.decode(), int(port)
                    return self.primary
                strangers += 1
        if refused is not None:
            raise refused
        nodes = ", ".join(map(format_node, self.nodes))
        if strangers:
            message = f"the Sentinels at {nodes} know no primary that is called {self.service}"
            raise NeedsHuman(
                message, hint=f"correct the name after the hosts in {SETTING}; SENTINEL MASTERS lists them"
            )
        message = f"no Sentinel of {self.service} answers at {nodes}"
        raise RetryLater(message, hint=silent[0].hint) from silent[0]

    def distrust(self) -> None:
        """Ask the one that answered last not before all others: what it said was not so."""
        self._order = [*self._order[1:], *self._order[:1]]

    def ask(self, node: Node, *question: str) -> Any:
        """What one of them answers. Raises as `translate_errors` does."""
        host, port = node
        connection = self._class(host=host, port=port, protocol=2, driver_info=None, **self._options)
        try:
            with translate_errors(format_node(node), called=CALLED):
                return _ask(connection, question)
        except NeedsHuman as error:
            if "password" in str(error):
                raise NeedsHuman(str(error), hint=PASSWORD_HINT) from error
            raise
        finally:
            connection.disconnect()


def _ask(connection: Any, question: tuple[str, ...]) -> Any:
    connection.connect()
    connection.send_command("SENTINEL", *question)
    try:
        return connection.read_response()
    except driver.ResponseError as error:
        if "unknown command" not in str(error):
            raise
        place = format_node((connection.host, connection.port))
        raise NeedsHuman(
            f"what answers at {place} is no Sentinel",
            hint=f"Sentinels listen at 26379; for a server write redis:// in {SETTING}",
        ) from error


class ToPrimary(redis.Connection):
    """A connection to whatever is the primary when it begins. `sentinels` tell which that is."""

    def __init__(self, *, sentinels: Sentinels, **options: Any) -> None:
        self._sentinels = sentinels
        super().__init__(**options)

    def connect(self) -> None:
        if self._sock is None:
            self.host, self.port = self._sentinels.find_primary()
        super().connect()

    def on_connect(self) -> None:
        super().on_connect()
        if _is_replica(self.handshake_metadata):
            self.disconnect()
            self._sentinels.distrust()
            raise driver.ReadOnlyError("")

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().read_response(*arguments, **options)
        except driver.ReadOnlyError:
            self.disconnect()
            raise


def _is_replica(told: Any) -> bool:
    """By the answer to HELLO, in which what is no replica is a `master`."""
    return bool(told) and told.get(b"role", b"master") != b"master"


class TlsToPrimary(ToPrimary, redis.SSLConnection):
    """The same with TLS."""
