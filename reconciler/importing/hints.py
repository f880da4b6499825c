"""How spreadsheets call a kind and its fields: what their names say, and the hints in the kind's schema."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from reconciler.kinds.kind import ANNOTATION, INACTIVE, NUMBERS, TIMESTAMPS, SqlType

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.canonical import Value
    from reconciler.kinds.kind import Column, Kind, Kinds

NAME, REFS, LABELS = "name", "refs.", "labels."
"""What a column may be besides a field: the name, a reference of a role, a label."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BETWEEN = re.compile(r"[^\w%]+|_+")
_PERCENT = frozenset({"%", "pct", "percent", "prozent", "pc"})
_IDLE = frozenset({"the", "of", "in", "per", "a", "for", "inp", "input", "no", "nr", "value", "setting", "type", "my"})
"""Words of a header that tell nothing where the rest is known."""
_OF_SOMETHING = frozenset({"value", "setting", "type"})
"""Those of them that say that a column is about a thing, and not which one it is."""
_CURRENCIES = frozenset({"usd", "eur", "gbp", "jpy", "chf", "aud", "cad", "nzd"})
_SIGNS = re.compile("[$\u00a3\u00a5\u20ac]")
_MONEY_UNITS = frozenset({"per lot", "money"})

POSITIVE = frozenset(
    [
        "active",
        "aktiv",
        "activated",
        "actif",
        "activo",
        "enabled",
        "enable",
        "live",
        "running",
        "run",
        "on",
        "yes",
        "y",
        "ja",
        "oui",
        "si",
        "true",
        "wahr",
        "vrai",
        "vero",
        "verdadero",
        "verdadeiro",
        "waar",
        "1",
        "x",
        "✓",
        "✔",
        "ok",
    ]
)
NEGATIVE = frozenset(
    [
        "inactive",
        "inaktiv",
        "inactif",
        "inactivo",
        "deactivated",
        "disabled",
        "disable",
        "stopped",
        "stop",
        "paused",
        "pause",
        "off",
        "no",
        "n",
        "nein",
        "non",
        "false",
        "falsch",
        "faux",
        "falso",
        "onwaar",
        "gestoppt",
        "arrete",
        "0",
        "closed",
        "retired",
        "archived",
        "✗",
        "✘",
    ]
)
"""Words for yes and no, in what is one or the other."""
TOTALS = frozenset(
    [
        "total",
        "totals",
        "sum",
        "sums",
        "summe",
        "summen",
        "gesamt",
        "subtotal",
        "average",
        "avg",
        "mean",
        "mittelwert",
        "count",
        "anzahl",
        "ø",
        "∑",
        "max",
        "min",
        "median",
    ]
)
"""First words of a row that adds up the others."""
ALSO_NAMES = frozenset({"max", "min"})
"""Those of them that are names of people too."""
NOTHING = frozenset({"-", "--", "---", "\u2013", "\u2014", "n/a", "na", "none", "null", "nil", "?", "tbd"})
"""What people write where there is nothing."""

SECRET = frozenset({"password", "passwort", "passwd", "pwd", "login", "token", "secret", "apikey", "key", "pin"})
MIN_PREFIX = 3
"""Letters of a shortened word that is still one."""


def plain(text: str) -> str:
    """A header or word without case, accents and marks: `Risk %` and `risk_%` are `risk %`."""
    spaced = _CAMEL.sub(" ", text.strip())
    letters = unicodedata.normalize("NFKD", spaced.replace("ß", "ss")).lower()
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter)).replace("%", " % ")
    return " ".join(_BETWEEN.sub(" ", bare).split())


def says_percent(header: str) -> bool:
    return not _PERCENT.isdisjoint(plain(header).split())


def core(text: str) -> frozenset[str]:
    """The words of a header that count, without units and order."""
    words = frozenset(plain(text).split())
    return (words - _PERCENT - _IDLE - _CURRENCIES) or words


def says_money(header: str) -> bool:
    return _SIGNS.search(header) is not None or not _CURRENCIES.isdisjoint(plain(header).split())


def takes_money(column: Column, hints: Hints) -> bool:
    """Whether a number of a field may be written with a sign of money. A field without a unit may be one of money."""
    words = set(plain(column.unit).split())
    if says_money(column.name):
        return True
    return column.unit in _MONEY_UNITS or bool(words & _CURRENCIES) or not (words or column.name in hints.ratios)


def fits_header(column: Column | None, hints: Hints, header: str) -> bool:
    """Whether a field can have the unit that a header says, of percent or money."""
    if column is None or column.type not in NUMBERS:
        return True
    if says_percent(header):
        return "percent" in column.unit or says_percent(column.name)
    return not says_money(header) or takes_money(column, hints)


class Hints(Struct, frozen=True):
    """What is known of one kind's columns. `headers` has targets by plain name, `cores` by the words that count;
    `sheets` are the names of the kind itself, and `names` those of a column of names.
    """

    sheets: frozenset[str]
    names: frozenset[str]
    headers: Mapping[str, frozenset[str]]
    cores: Mapping[frozenset[str], frozenset[str]]
    own: Mapping[str, str]
    words: Mapping[str, Mapping[str, str]]
    otherwise: Mapping[str, Value]
    ratios: frozenset[str]
    looks: Mapping[str, str]

    def targets(self, header: str) -> tuple[int, frozenset[str]]:
        """What a header may mean, and how sure that is: 4 its own name, 3 a known one, 2 the same words, 0 unknown."""
        text = plain(header)
        if not text:
            return 0, frozenset()
        if text in self.own:
            return 4, frozenset({self.own[text]})
        if text in self.headers:
            return 3, self.headers[text]
        alike = self.cores.get(core(header), frozenset())
        if not _OF_SOMETHING.isdisjoint(text.split()):
            alike = frozenset(target for target in alike if target != NAME and not target.startswith(REFS))
        return (2, alike) if alike else (0, frozenset())


@lru_cache(maxsize=64)
def read_hints(kind: Kind) -> Hints:
    """The hints of a kind; roles are also known by the words of the role alone."""
    given: Mapping[str, Any] = kind.schema[ANNOTATION].get("spreadsheet", {})
    own = {plain(column.name): column.name for column in kind.columns}
    own |= {plain(f"{kind.name} name"): NAME, plain(kind.name): NAME, **({} if NAME in own else {NAME: NAME})}
    own |= {plain(reference.role): f"{REFS}{reference.role}" for reference in kind.references}
    sheets = frozenset(map(plain, (kind.name, f"{kind.name}s", kind.table, *given.get("sheets", ()))))
    headers = {target: frozenset(map(plain, names)) for target, names in given.get("headers", {}).items()}
    headers[NAME] = headers.get(NAME, frozenset()) | sheets
    for column in kind.columns:
        headers[column.name] = headers.get(column.name, frozenset()) | {plain(column.name)}
    words = {column.name: _words(column, given.get("words", {}).get(column.name, {})) for column in kind.columns}
    targets: dict[str, frozenset[str]] = {}
    cores: dict[frozenset[str], frozenset[str]] = {}
    for target, names in headers.items():
        for name in names - {""}:
            targets[name] = targets.get(name, frozenset()) | {target}
            cores[core(name)] = cores.get(core(name), frozenset()) | {target}
    return Hints(
        sheets=sheets,
        names=headers[NAME],
        headers=targets,
        cores=cores,
        own=own,
        words=words,
        otherwise=given.get("otherwise", {}),
        ratios=frozenset(given.get("ratios", ())),
        looks=given.get("looks", {}),
    )


def _words(column: Column, given: Mapping[str, Collection[str]]) -> dict[str, str]:
    """The words of an enum by the spellings of them."""
    known = {plain(spelling): word for word, spellings in given.items() for spelling in spellings}
    if INACTIVE in column.enum and len(column.enum) == len({True, False}):
        active = next(word for word in column.enum if word != INACTIVE)
        known |= dict.fromkeys(map(plain, NEGATIVE), INACTIVE) | dict.fromkeys(map(plain, POSITIVE), active)
    known |= {plain(word): word for word in column.enum}
    known.pop("", None)
    return known


def find_word(column: Column, hints: Hints, text: str) -> str | None:
    """The word of an enum that a text means: its own, a known spelling, or the beginning of just one."""
    if text in column.enum:
        return text
    shape = plain(text)
    known = hints.words[column.name]
    if text.strip().lower() in {"✓", "✔"}:
        return known.get("x")
    if shape in known or not shape:
        return known.get(shape)
    if len(shape) < MIN_PREFIX:
        return None
    begun = {word for word in column.enum if plain(word).startswith(shape)}
    return begun.pop() if len(begun) == 1 else None


def is_from_git(header: str) -> bool:
    """Whether a column holds what the commits say."""
    return plain(header) in set(map(plain, TIMESTAMPS))


def is_secret(header: str) -> bool:
    return not SECRET.isdisjoint(plain(header).split())


def field_format(kind: Kind, name: str) -> str:
    """The `format` of a field that is a text."""
    column = kind.column(name)
    if column is None or column.type is not SqlType.VARCHAR:
        return ""
    return str(kind.schema["properties"]["spec"]["properties"][name].get("format", ""))


def is_name_of(kinds: Kinds, header: str) -> tuple[Kind, ...]:
    """The kinds that a header is the name of."""
    return tuple(kind for kind in kinds if plain(header) in read_hints(kind).sheets)
