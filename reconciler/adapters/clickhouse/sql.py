"""Queries that somebody else wrote, on the history.

They see tables of one repository and branch, each row once, and no row that does not count. ClickHouse has functions
that read files and addresses, and its embedded engine has no users whose rights would end there. So a query is read
twice before it runs: as one statement, written anew by ClickHouse itself (`formatQuerySingleLine`), and as the tree
of that (`EXPLAIN AST`), neither of which runs anything. A name in the tree may hold line ends and so add lines to it;
it cannot take any away, so every rule here is about a line alone, or about what precedes all names. Functions and
their categories: https://clickhouse.com/docs/operations/system-tables/functions.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import Error
from msgspec import Struct

from reconciler.adapters.clickhouse.errors import SERVER_ERRORS, explain_error
from reconciler.errors import ReconcilerError, UsageError
from reconciler.ledger.offered import TABLES_ONLY, VERSIONS
from reconciler.model.rows import MAX_QUERY_BYTES, QueryResult
from reconciler.policy import escape_line
from reconciler.tables.clickhouse import VERSIONS_TABLE, quote
from reconciler.tables.rows import take_fitting, to_json_cell

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from reconciler.adapters.clickhouse.connection import Connection
    from reconciler.ledger.offered import OfferedTable
    from reconciler.model.rows import QueryLimits

ONE_SELECT = "a query is one SELECT; everything else is done by commits"

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


class KnownFunction(Struct, frozen=True):
    """A function of the engine's: its category and whether it is built in; of an alias, those of what it stands for."""

    category: str
    built_in: bool
    aggregate: bool


class Engine(Struct, frozen=True):
    """What an engine has, names in lower case: functions, functions that make tables, and databases."""

    functions: dict[str, KnownFunction]
    table_functions: frozenset[str]
    databases: frozenset[str]


def engine(functions: Iterable[Sequence[str]], table_functions: Iterable[str], databases: Iterable[str]) -> Engine:
    """From `system.functions` (name, alias_to, category, origin, is_aggregate), `table_functions` and `databases`."""
    rows = {str(row[0]).lower(): row for row in functions}
    known: dict[str, KnownFunction] = {}
    for name, row in rows.items():
        _, _, category, origin, aggregate = rows.get(str(row[1]).lower(), row)
        known[name] = KnownFunction(str(category).strip(), not str(origin).endswith(OF_USERS), bool(aggregate))
    return Engine(known, frozenset(map(str.lower, table_functions)), frozenset(map(str.lower, databases)))


def check_tree(tree: str, engine: Engine) -> None:
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


MAX_MEMORY = 1024**3
MAX_FOUND_BYTES = 4 * MAX_QUERY_BYTES
"""Of rows as ClickHouse counts them, before they are JSON."""
TIMEOUT_ERRORS, MEMORY_ERRORS, SIZE_ERRORS = frozenset({159, 160}), frozenset({241}), frozenset({396, 307})
"""TIMEOUT_EXCEEDED, TOO_SLOW; MEMORY_LIMIT_EXCEEDED; TOO_MANY_ROWS_OR_BYTES, TOO_MANY_BYTES"""
MODIFIERS = re.compile(r"Table expression modifiers (?P<which>FINAL|SAMPLE)")
OF_LIVE_ROWS = re.compile(r"(?:Database|Unknown database) `?(?:desired|main|gitops)\b")
SMALLER = "look for less at a time: LIMIT, WHERE, fewer columns"
ONE_STATEMENT = "SELECT formatQuerySingleLine({sql:String})"
FUNCTIONS = "SELECT name, alias_to, {categories}, toString(origin), is_aggregate FROM system.functions"
HAS_CATEGORIES = (
    "SELECT count() FROM system.columns WHERE database = 'system' AND table = 'functions' AND name = 'categories'"
)
TABLE_FUNCTIONS = "SELECT name FROM system.table_functions"
DATABASES = "SELECT name FROM system.databases"

SAYS = re.compile(
    r"(?:Received ClickHouse exception, code: \d+, server response: )?"
    r"(?:Code: \d+\. )?(?:DB::Exception: )*(?P<says>.*)",
    re.DOTALL,
)
AFTER = re.compile(r"(?:: |\. )?(?:In scope .*|While .*|Expected one of.*|\(version .*|\([A-Z_]+\)\s*)$", re.DOTALL)
"""What ClickHouse adds to what it says: the query, as it is run, and the error's name."""


def query_tables(
    connection: Connection, sql: str, tables: Iterable[OfferedTable], bound: Mapping[str, object], limits: QueryLimits
) -> QueryResult:
    """What a query finds in tables whose queries are bound to these parameters.

    Raises `UsageError` for what cannot be run, or takes too long or too much.
    """
    try:
        return _found(connection, _screened(connection, sql), tables, bound, limits)
    except Error as error:
        raise _explain_query_error(error, connection.place, limits) from error


def _screened(connection: Connection, sql: str) -> str:
    """The query as ClickHouse itself writes it: one statement, without comments."""
    ((statement,),) = connection.run(ONE_STATEMENT, {"readonly": 1}, sql=sql).rows
    check_tree(connection.explain(str(statement)), _engine(connection))
    return str(statement)


def _engine(connection: Connection) -> Engine:
    run = connection.run
    ((has_categories,),) = run(HAS_CATEGORIES, {}).rows
    functions = FUNCTIONS.format(categories="categories" if has_categories else "''")
    table_functions = [str(name) for (name,) in run(TABLE_FUNCTIONS, {}).rows]
    databases = [str(name) for (name,) in run(DATABASES, {}).rows]
    return engine(run(functions, {}).rows, table_functions, databases)


def _found(
    connection: Connection,
    statement: str,
    tables: Iterable[OfferedTable],
    bound: Mapping[str, object],
    limits: QueryLimits,
) -> QueryResult:
    text = statement.lower()
    queries = {table.name: table.query for table in tables if table.name.lower() in text}
    if VERSIONS in queries:
        queries[VERSIONS_TABLE] = queries[VERSIONS]
    settings = {
        "max_execution_time": math.ceil(limits.seconds),
        "max_memory_usage": MAX_MEMORY,
        "max_result_bytes": MAX_FOUND_BYTES,
        "result_overflow_mode": "throw",
        "readonly": 1,  # the last: after it no setting can be changed
    }
    named = ",\n".join(f"{quote(name)} AS ({query})" for name, query in queries.items())
    whole = f"{f'WITH {named}' if named else ''}\nSELECT * FROM (\n{statement}\n) LIMIT {limits.rows + 1}"
    result = connection.run(whole, settings, in_database=True, **bound)
    rows = (tuple(map(to_json_cell, row)) for row in result.rows)
    kept, cut = take_fitting(rows, limits.rows, MAX_QUERY_BYTES)
    return QueryResult(result.columns, tuple(kept), cut)


def _explain_query_error(error: Error, place: str, limits: QueryLimits) -> ReconcilerError:
    if error.code in TIMEOUT_ERRORS:
        return UsageError(f"the query took more than {limits.seconds:g} s and was stopped", hint=SMALLER)
    if error.code in MEMORY_ERRORS:
        return UsageError(f"the query used more memory than there is for it ({MAX_MEMORY >> 30} GB)", hint=SMALLER)
    if error.code in SIZE_ERRORS:
        message = f"the query found more than the {MAX_FOUND_BYTES >> 20} MiB that are taken from ClickHouse at once"
        return UsageError(message, hint=SMALLER)
    if error.code is None or error.code in SERVER_ERRORS:
        return explain_error(place, error)
    matched = SAYS.match(str(error))
    says = AFTER.sub("", matched["says"] if matched else str(error))
    return UsageError(f"the query cannot be run: {escape_line(says)[:500].rstrip(' .!')}", hint=_hint(says))


def _hint(says: str) -> str:
    if modifier := MODIFIERS.search(says):
        return f"leave out {modifier['which']}: these tables have each row once, as FINAL would give it"
    if OF_LIVE_ROWS.search(says):
        return f"{TABLES_ONLY}; the live rows are asked without --history"
    if "readonly mode" in says:
        return ONE_SELECT
    if "Unknown table" in says:
        return TABLES_ONLY
    return ""
