"""The ledger on ClickHouse: the embedded engine (chDB) and a server over HTTP, by the same statements.

Nothing outside this package imports clickhouse-connect, and nothing in it knows git or DuckDB.
"""
