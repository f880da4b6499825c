"""Why something is as it is."""

from __future__ import annotations

from typing import Final

from reconciler.report.why import WhyCommit, WhyResource
from reconciler.service.endpoint import (
    OF_FIELD,
    PAST,
    read,
)
from reconciler.service.why import Why

ENDPOINTS: Final = (
    read(
        "/v1/why/{revision}",
        Why.commit,
        WhyCommit,
        PAST,
        "What became of a commit, why, and what to do",
        slow=True,
    ),
    read(
        "/v1/why/{kind}/{name}",
        Why.resource,
        WhyResource,
        PAST,
        "Why a live resource has its values",
        params=(OF_FIELD,),
        slow=True,
    ),
)
