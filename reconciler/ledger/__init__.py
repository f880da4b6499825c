"""The ledger in SQL: one set of statements and one class for every engine. The engines are in `adapters`.

Statements are written in the words of SQL that ClickHouse and DuckDB share. What they do not share is the connection's
to translate: names and types of bound values, and FINAL.
"""
