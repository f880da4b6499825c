"""Whose fault it is that a commit cannot be judged: its own, which makes it invalid, or the machine's, which does not.

A commit that cannot be judged must not stop the ones after it, and a disk that is full must not make a commit invalid.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from msgspec import Struct

from reconciler import __version__
from reconciler.errors import BrokenTree, BugError, ReconcilerError, RetryLater, TooLarge
from reconciler.model.log import Level
from reconciler.model.problem import Problem, verdict_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.ports import Log, Store, StoreReader

HOST_FAULTS: Final = (OSError, MemoryError, ReconcilerError)
"""Apart from a bug (`BugError`), where the program fails over what a commit brings, and from what is too large, or a
broken tree."""
PANIC: Final = "PanicException"
"""What libraries in Rust raise. It is no `Exception`, and its class cannot be imported."""
MAX_KNOWN: Final = 10_000
"""Faults that are remembered."""
HINT: Final = "revert the commit; later commits are judged without it. The log has the trace: please report it"


def is_commit_fault(error: BaseException) -> bool:
    """Whether an exception may be the fault of what was read: then it is tried again in a fresh process."""
    if isinstance(error, (BugError, BrokenTree, TooLarge)) or type(error).__name__ == PANIC:
        return True
    return isinstance(error, Exception) and not isinstance(error, HOST_FAULTS)


def raise_host_fault(commit: str, error: BaseException) -> NoReturn:
    """Raise the machine's fault, met while a commit was judged, as a `ReconcilerError`. Only for use in a handler."""
    if isinstance(error, ReconcilerError) or not isinstance(error, HOST_FAULTS):
        raise error
    message = f"{commit[:8]} could not be judged, and that is not its fault: {describe_fault(error)}: {error}"
    raise RetryLater(message, hint="see that disk and memory suffice; it is tried again") from error


def describe_fault(error: BaseException) -> str:
    """The same words on each host: what an exception says may hold an address in memory."""
    return type(error).__name__


def cannot_judge(path: str, fault: str, hint: str = HINT) -> Problem:
    """The problem of a file, or of a folder for all of a commit, over which this version of the program fails."""
    return Problem(path, 1, 1, "cannot-judge", "", f"{verdict_of(__version__)}: {fault}", hint)


def broken_tree_problems(error: BrokenTree) -> tuple[Problem, ...]:
    """The problems of a commit with trees that git would not have written."""
    return tuple(sorted(Problem(path, 1, 1, "broken-tree", "", what, error.hint) for path, what in error.flaws))


class Answer(Struct, frozen=True):
    """How a call ended: its value, or why the fault is that of its input (the same in every process), and the trace."""

    value: Any = None
    fault: str = ""
    trace: str = ""


def call_here(function: Callable[..., Any], *arguments: object) -> Answer:
    """Call a function in this process, which is fresh. Raises whatever is the machine's fault."""
    try:
        return Answer(function(*arguments))
    except BaseException as error:
        if not is_commit_fault(error):
            raise
        return Answer(fault=describe_fault(error), trace="".join(traceback.format_exception(error)))


class KnownFaults:
    """Why this version of the program could not judge something, by subject: no deadline is waited for twice.

    A subject is a text that says all that the verdict depends on. For several threads.
    """

    def __init__(self) -> None:
        self.by_subject: Mapping[str, str] = {}

    def learn(self, faults: Mapping[str, str]) -> None:
        """Know these as well. Of too many, those known before are forgotten."""
        known = {**self.by_subject, **faults}
        self.by_subject = known if len(known) <= MAX_KNOWN else dict(faults)

    def forget(self) -> None:
        """Judge everything again."""
        self.by_subject = {}

    def read(self, store: StoreReader) -> Mapping[str, str]:
        """Know what a store knows as well; gives that."""
        kept = store.known_faults(__version__)
        self.learn(kept)
        return kept

    def write(self, store: Store, kept: Mapping[str, str] | None = None) -> None:
        """Have a store know the same, unless it is what it has kept. It is not asked, as it may have failed."""
        if self.by_subject != kept:
            store.keep_faults(__version__, self.by_subject)


@dataclass(frozen=True, slots=True)
class FaultFinder:
    """Finds out whose fault a failure is: what failed is called again in a fresh process. Logs what is at fault.

    `call_fresh` calls a function of a module with its arguments there. It raises `TooLarge` when that takes too long,
    and another `ReconcilerError` for whatever is the machine's fault.
    """

    call_fresh: Callable[..., Any]
    log: Log
    known: KnownFaults = field(default_factory=KnownFaults)

    def try_again(self, function: Callable[..., Any], *arguments: object) -> Answer:
        """Call once more what failed. Raises whatever is the machine's fault."""
        try:
            answer = self.call_fresh(call_here, function, *arguments)
        except TooLarge as error:
            return Answer(fault=str(error))
        assert isinstance(answer, Answer)
        return answer

    def call_apart(self, function: Callable[..., Any], *arguments: object) -> Answer:
        """Call where it can be stopped and no thread waits for it; what takes too long is given a second try.

        Raises whatever is the machine's fault.
        """
        try:
            answer = self.call_fresh(call_here, function, *arguments)
        except TooLarge:
            return self.try_again(function, *arguments)
        assert isinstance(answer, Answer)
        return answer

    def log_fault(self, what: str, answer: Answer, error: BaseException | None = None) -> None:
        """Log that a file or commit is at fault, with both traces: the error is what was raised here."""
        error = error or BugError(answer.fault)
        if answer.trace:
            error.add_note(f"In a fresh process:\n{answer.trace}")
        self.log.event("CannotJudge", f"{what} cannot be judged: {answer.fault}", level=Level.WARN, error=error)


class _NoLog:
    def event(self, *_: object, **__: object) -> None:
        """For a process that tells the one that started it."""


class _Accepting(FaultFinder):
    """For a process that is fresh: what failed there once need not be called again."""

    __slots__ = ()

    def try_again(self, function: Callable[..., Any], *_: object) -> Answer:
        """The failure, as it was."""
        return Answer(fault=f"{function.__name__} fails")


def _call(function: Callable[..., Any], *arguments: object) -> Any:
    return function(*arguments)


ACCEPTED: Final = _Accepting(_call, _NoLog())
