"""What somebody's query on the history may not ask for, found in ClickHouse's own syntax tree before it runs.

ClickHouse has functions that read files and addresses, and its embedded engine has no users whose rights would end
there. So a query is read twice: as one statement, written anew by ClickHouse itself (`formatQuerySingleLine`), and as
the tree of that (`EXPLAIN AST`), neither of which runs anything. A name in the tree may hold line ends and so add lines
to it; it cannot take any away, so every rule here is about a line alone, or about what precedes all names.
Functions and their categories: https://clickhouse.com/docs/operations/system-tables/functions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

ONE_SELECT = "a query is one SELECT; everything else is done by commits"
TABLES_ONLY = "a query sees versions, host_events and the tables of the kinds, each by its name alone"

SELECT = "SelectWithUnionQuery"
TABLE, CALL = "TableExpression", "Function "
NAMES = ("TableIdentifier ", "Identifier ")
SETTINGS = "Set"
OUTPUT = re.compile(r" (?! |ExpressionList)")
"""What stands right below the whole query beside its parts: FORMAT, INTO OUTFILE."""
NO_TABLE = "system.one"
"""Where a SELECT without FROM is from."""
PATH = re.compile(r"[/\\*?]|:/")
"""What a path or a pattern of paths has in it, and a name of ours never: the embedded engine takes such for files."""
HARMLESS_TABLES = frozenset({"numbers", "zeros", "values", "generateseries", "generate_series"})
"""Functions that make a table of nothing but their arguments."""
REFUSED_CATEGORIES = frozenset(
    {"AI", "Dictionary", "Embedded Dictionary", "Internal", "Introspection", "Machine Learning"}
)
"""These ask other services or the server itself."""
OTHER = "Other"
HARMLESS_OTHERS = frozenset(
    """bar bytesize countdigits defaultvalueofargumenttype formatreadabledecimalsize formatreadablequantity
    formatreadablesize formatreadabletimedelta identity ignore initializeaggregation finalizeaggregation isconstant
    lowcardinalityindices lowcardinalitykeys materialize neighbor parsereadablesize parsereadablesizeornull
    parsereadablesizeorzero parsetimedelta rownumberinallblocks rownumberinblock runningaccumulate runningdifference
    runningdifferencestartingwithfirstvalue throwif tocolumntypename totypename transform variantelement varianttype
    version visiblewidth""".split()  # noqa: SIM905  a list of forty would take forty lines
)
"""Of a category in which all the rest is."""
REFUSED = re.compile(
    r"file|filesystem.*|dict.*|joinget.*|ai[a-z]+|sleep.*|catboost.*|addressto.*|demangle|logtrace|trap|tid|"
    r"getserver.*|getmacro|getclient.*|currentrequest.*|show.*|globalvariable|getsetting.*|getmergetree.*|__.*|"
    r"hascolumnintable|getmaxtablename.*|evalmlmethod|region.*|zookeeper.*|gethostname|hostname|fqdn|fullhostname|"
    r"tcpport|serveruuid|buildid|displayname"
)
"""What older servers, which have no categories, know of all that."""
OF_USERS = "UserDefined"
"""How the origin of functions ends that somebody has added."""


@dataclass(frozen=True, slots=True)
class Known:
    """A function of the engine's: its category and whether it is built in; of an alias, those of what it stands for."""

    category: str
    built_in: bool
    aggregate: bool


@dataclass(frozen=True, slots=True)
class Engine:
    """What an engine has, names in lower case: functions, functions that make tables, and databases."""

    functions: dict[str, Known]
    table_functions: frozenset[str]
    databases: frozenset[str]


def engine(functions: Iterable[Sequence[str]], table_functions: Iterable[str], databases: Iterable[str]) -> Engine:
    """From `system.functions` (name, alias_to, category, origin, is_aggregate), `table_functions` and `databases`."""
    rows = {str(row[0]).lower(): row for row in functions}
    known: dict[str, Known] = {}
    for name, row in rows.items():
        _, _, category, origin, aggregate = rows.get(str(row[1]).lower(), row)
        known[name] = Known(str(category).strip(), not str(origin).endswith(OF_USERS), bool(aggregate))
    return Engine(known, frozenset(map(str.lower, table_functions)), frozenset(map(str.lower, databases)))


def check(tree: str, engine: Engine) -> None:
    """Raise `UsageError` for what a query may not ask for, given its tree."""
    lines = tree.split("\n")
    if not lines[0].startswith(SELECT):
        raise _refused("this is no SELECT", ONE_SELECT)
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if OUTPUT.match(line):
            raise _refused("it says itself where its result goes, or how it looks", "leave out FORMAT and INTO OUTFILE")
        _check_line(line.strip(" "), after.strip(" "), engine)


def _check_line(line: str, after: str, engine: Engine) -> None:
    if line.partition(" ")[0] == SETTINGS:
        raise _refused("it changes settings", "leave out SETTINGS")
    if line.startswith(TABLE) and after.startswith(CALL) and _called(after) not in HARMLESS_TABLES:
        raise _refused(f"{_called(after)}(…) cannot be a table in it", TABLES_ONLY)
    if line.startswith(CALL):
        _check_function(_called(line), engine)
    for kind in NAMES:
        if line.startswith(kind):
            _check_name(line.removeprefix(kind), engine.databases)


def _check_function(name: str, engine: Engine) -> None:
    known = engine.functions.get(name)
    if known is None:
        allowed = name not in engine.table_functions or name in HARMLESS_TABLES
    else:
        allowed = known.built_in and (known.aggregate or _is_harmless(name, known.category))
    if not allowed:
        raise _refused(f"the function {name} cannot be used in it", "it looks at more than the history")


def _is_harmless(name: str, category: str) -> bool:
    if category == OTHER:
        return name in HARMLESS_OTHERS
    return category not in REFUSED_CATEGORIES and not REFUSED.fullmatch(name)


def _check_name(line: str, databases: Collection[str]) -> None:
    name = line.partition(" (")[0]
    if name == NO_TABLE:
        return
    if PATH.search(name):
        raise _refused(f"it names {name[:100]}", TABLES_ONLY)
    first, dot, _ = name.partition(".")
    if dot and first.lower() in databases:
        raise _refused(f"it names {name[:100]}, with a database", TABLES_ONLY)


def _called(line: str) -> str:
    return line.removeprefix(CALL).partition(" (")[0].lower()


def _refused(why: str, hint: str) -> UsageError:
    return UsageError(f"the query was not run: {why}", hint=hint)
