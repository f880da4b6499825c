"""What somebody looks for among the live rows of a kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Search:
    """`text` is part of a name, path, label or text column, in any case; `equals` maps columns to exact values.

    Of the rows found, in order of name, `limit` from the one with number `offset` on.
    """

    text: str = ""
    equals: Mapping[str, str] = field(default_factory=dict)
    offset: int = 0
    limit: int = 100
