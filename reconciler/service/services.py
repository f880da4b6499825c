"""A host in this process, as its services. Each is made when it is asked for: that is when it was imported."""

from __future__ import annotations

import sys
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.service.context import Context
    from reconciler.service.control import HostControl

P = ParamSpec("P")
T = TypeVar("T")
CONTROL = "HostControl"


class Services:
    """A host in this process. `ask(History.blame, kind, name)` calls that method on this host's service.

    `open_control` gives what changes the host, and is asked for it at the first call of that.
    """

    def __init__(self, context: Context, open_control: Callable[[], HostControl]) -> None:
        self._made: dict[str, object] = {}
        self._open_control = open_control
        self.context = context

    def bind(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The method of this host's service, or of its control, that a method of a class stands for."""
        service, _, name = call.__qualname__.partition(".")
        made = self._made.get(service) or self._made.setdefault(service, self._make(call.__module__, service))
        bound: Callable[..., Any] = getattr(made, name)
        return bound

    def _make(self, module: str, service: str) -> object:
        return self._open_control() if service == CONTROL else getattr(sys.modules[module], service)(self.context)

    @overload
    def ask(self, call: Callable[Concatenate[Any, P], Future[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...

    @overload
    def ask(self, call: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs) -> T: ...

    def ask(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The answer of a call; of an operation, once it has ended."""
        answer = self.bind(call)(*args, **kwargs)
        return answer.result() if isinstance(answer, Future) else answer
