"""DuckDB's functions that would let a policy judge one commit in two ways, and the few that may stand in a FROM clause.

From `duckdb_functions()` of DuckDB 2.0: those whose stability is VOLATILE or CONSISTENT_WITHIN_QUERY, and the macros
that call them; `error` is none of them.
"""

from __future__ import annotations

TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series", "json_each", "json_tree"})
"""These look at nothing but their arguments. Others read files, settings, or SQL that was put together as text."""

CALLED_BARE = frozenset({"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"})
"""SQL calls these without parentheses, like columns."""

TODAY = "today"
AGE = "age"
"""With one argument it is the time from there to today."""

TIME = CALLED_BARE | {
    TODAY,
    "ago",
    "current_localtime",
    "current_localtimestamp",
    "get_current_time",
    "get_current_timestamp",
    "now",
    "pg_conf_load_time",
    "pg_postmaster_start_time",
    "transaction_timestamp",
}
CHANCE = frozenset({"gen_random_uuid", "random", "setseed", "uuid", "uuidv4", "uuidv7"})
MACHINE = frozenset(
    {
        "current_connection_id",
        "current_query",
        "current_query_id",
        "current_setting",
        "current_transaction_id",
        "currval",
        "getvariable",
        "json_serialize_plan",
        "nextval",
        "setval",
        "sleep_ms",
        "stats",
        "txid_current",
        "vector_type",
        "version",
        "write_log",
    }
)
WHY = {
    **dict.fromkeys(TIME, "asks for the time"),
    **dict.fromkeys(CHANCE, "asks for chance"),
    **dict.fromkeys(MACHINE, "asks for the machine"),
}
"""What speaks against each of them."""
