"""Live rows, and what the head would change in them."""

from __future__ import annotations

from typing import Final

from reconciler import answers, reviews
from reconciler.report.rows import Uses
from reconciler.service.endpoint import (
    AT,
    CURSOR,
    LABELS,
    LIVE,
    METADATA,
    OF_BRANCH,
    OF_HOST,
    PAGE_LIMIT,
    ROW_FILTERS,
    SORT,
    read,
)
from reconciler.service.rows import Plans, Rows

ENDPOINTS: Final = (
    read(
        "/v1/resources/{kind}",
        Rows.page,
        answers.RowsPage,
        LIVE,
        "The live rows of a kind, or as they were",
        params=(AT, PAGE_LIMIT, CURSOR, OF_HOST, OF_BRANCH, LABELS, ROW_FILTERS, SORT, METADATA),
    ),
    read(
        "/v1/resources/{kind}/{name}",
        Rows.row,
        answers.Rows,
        LIVE,
        "A live row, or as it was",
        params=(AT, OF_HOST, OF_BRANCH, METADATA),
    ),
    read(
        "/v1/resources/{kind}/{name}/uses",
        Rows.uses,
        Uses,
        LIVE,
        "What refers to a resource",
        params=(AT, OF_HOST, OF_BRANCH),
        slow=True,
    ),
    read("/v1/drift", Rows.drift, answers.Drift, LIVE, "Where the live rows are not what git says", slow=True),
    read(
        "/v1/plan", Plans.ahead, reviews.Plan, LIVE, "What the branch's head would change in the live rows", slow=True
    ),
)
