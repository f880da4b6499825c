"""Faults in functions of the program, in this process and in those that it starts.

A function fails when the word `poison` is in one of its arguments, so that it fails for one commit and not for another.
In a process that is started it may be another word.
"""

from __future__ import annotations

import importlib
import os
import signal
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

VARIABLE = "TEST_INJECTED_FAULT"
WORD = "TEST_INJECTED_WORD"
FOLDER = Path(__file__).parent / "injection"
POISON = "poison"
LONGEST = 1_000_000
"""Characters of an argument that are searched."""


def _die() -> BaseException:
    """The process ends here, as by a power cut."""
    os.kill(os.getpid(), signal.SIGKILL)
    return SystemExit()


class BrokenDriver(Exception):
    """What a library may raise that nobody expected."""


FAULTS: dict[str, Callable[[], BaseException]] = {
    "KeyError": lambda: KeyError("poison"),
    "RecursionError": lambda: RecursionError("too deep"),
    "OverflowError": lambda: OverflowError("too large"),
    "OSError": lambda: OSError(28, "No space left on device"),
    "MemoryError": MemoryError,
    "BrokenDriver": BrokenDriver,
    "kill": _die,
}


def inject(monkeypatch: pytest.MonkeyPatch, place: str, fault: str, *, elsewhere: bool = True) -> None:
    """Let the function at `module:name` fail, here and, with `elsewhere`, in the processes that are started."""
    owner, name = _find(place)
    monkeypatch.setattr(owner, name, _failing(getattr(owner, name), FAULTS[fault]))
    if elsewhere:
        monkeypatch.syspath_prepend(str(FOLDER))
        monkeypatch.setenv(VARIABLE, f"{place}={fault}")


def injecting(place: str, fault: str, word: str) -> dict[str, str]:
    """Variables of a process that is to be started, in which the function fails at this word."""
    root = Path(__file__).parents[2]
    return {VARIABLE: f"{place}={fault}", WORD: word, "PYTHONPATH": os.pathsep.join((str(FOLDER), str(root)))}


def inject_from_environment() -> None:
    """Do the same in a process that was started."""
    place, _, fault = os.environ.get(VARIABLE, "").partition("=")
    if place:
        owner, name = _find(place)
        setattr(owner, name, _failing(getattr(owner, name), FAULTS[fault]))


def _find(place: str) -> tuple[Any, str]:
    module, _, names = place.partition(":")
    owner: Any = importlib.import_module(module)
    *above, name = names.split(".")
    for step in above:
        owner = getattr(owner, step)
    return owner, name


def _failing(function: Callable[..., Any], fault: Callable[[], BaseException]) -> Callable[..., Any]:
    @wraps(function)
    def fail(*arguments: Any, **named: Any) -> Any:
        word = os.environ.get(WORD, POISON)
        if any(word in text for text in _texts((*arguments, *named.values()))):
            raise fault()
        return function(*arguments, **named)

    return fail


def _texts(arguments: tuple[Any, ...]) -> Iterator[str]:
    return (repr(argument)[:LONGEST] for argument in arguments)
