"""GitOps for trading configuration: git is the log, DuckDB and ClickHouse are its projections."""

__version__ = "0.1.0"
