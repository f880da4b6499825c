"""The services of one host, found by the methods that commands and addresses name."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, overload

from reconciler.service.history import History
from reconciler.service.host import Host
from reconciler.service.kinds import Kinds
from reconciler.service.rows import Plans, Rows
from reconciler.service.sessions import Sessions
from reconciler.service.sql import Sql

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.service.context import Context
    from reconciler.service.host import HostControl

P = ParamSpec("P")
T = TypeVar("T")
SERVICES = (History, Host, Kinds, Plans, Rows, Sessions, Sql)


class Services:
    """A host in this process. `ask(History.blame, kind, name)` calls that method on this host's service."""

    def __init__(self, context: Context, control: HostControl) -> None:
        self._by_name: dict[str, object] = {service.__name__: service(context) for service in SERVICES}
        self._by_name["HostControl"] = control
        self.context = context

    def bind(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The method of this host's service, or of its control, that a method of a class stands for."""
        service, _, name = call.__qualname__.partition(".")
        bound: Callable[..., Any] = getattr(self._by_name[service], name)
        return bound

    @overload
    def ask(self, call: Callable[Concatenate[Any, P], Future[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...

    @overload
    def ask(self, call: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs) -> T: ...

    def ask(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The answer of a call; of an operation, once it has ended."""
        answer = self.bind(call)(*args, **kwargs)
        return answer.result() if isinstance(answer, Future) else answer

    def write_table(self, table: str, form: str, file: Path, *, history: bool) -> tuple[str, int]:
        """Write a table into a file; what the table is called, and how many rows it has."""
        return self.ask(Sql.write, table, form, file, history)
