"""What a shell is told when somebody presses Tab: kinds, and names of live rows. It never takes long, and never fails.

Without an answer in time there is none to choose from: an error would land in the line that somebody is typing.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from reconciler import wiring
from reconciler.cli.options import Globals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click


def kinds(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The kinds that begin like this, in lower case as people write them."""
    given = _globals(context)
    found = _found(lambda: (row["kind"] for row in _application(given).tables(history=False)["tables"]))
    known = found or _found(lambda: (kind.name for kind in wiring.shipped().kinds))
    return _beginning(incomplete, (name.lower() for name in known))


def names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The names of the live rows of the kind that stands before."""
    given, kind = _globals(context), context.params.get("kind")
    if not kind:
        return []
    found = _found(lambda: (str(row["name"]) for row in _application(given).rows(str(kind))["rows"]))
    return _beginning(incomplete, found)


def _globals(context: click.Context) -> Globals:
    return context.find_object(Globals) or Globals()


def _application(given: Globals) -> wiring.Application:
    return wiring.hurried(given.settings())


def _beginning(incomplete: str, words: Iterable[str]) -> list[str]:
    """A word that does not print would be more than a word to the shell."""
    return sorted({word for word in words if word.startswith(incomplete.lower()) and word.isprintable()})


def _found(look: Callable[[], Iterable[str]]) -> list[str]:
    with suppress(Exception):  # whatever is wrong, the command itself says it
        return list(look())
    return []
