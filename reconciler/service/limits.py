"""What one request may ask for: known to services, and to the endpoint table, which is read without them."""

from __future__ import annotations

from typing import Final

MAX_PAGE = 10_000
"""Rows of a page."""
MAX_SELECTOR = 2_000
"""Characters of the filters, or of the labels, of one request."""
CSV = "csv"
FORMATS: Final = ("parquet", CSV, "json")
"""Forms of an exported file."""
DEFAULT_ROWS, MAX_ROWS = 1_000, 100_000
"""Rows of a query's answer."""
FILTERS: Final = ("grep", "author", "kind", "name", "since", "until", "status")
"""What versions are found by."""
