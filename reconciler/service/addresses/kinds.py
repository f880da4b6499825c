"""Kinds."""

from __future__ import annotations

from typing import Final

from reconciler.report.kinds import Kinds as KindList
from reconciler.service.endpoint import (
    LIVE,
    read,
)
from reconciler.service.kinds import Kinds

ENDPOINTS: Final = (
    read("/v1/kinds", Kinds.all, KindList, LIVE, "The kinds there are"),
    read("/v1/kinds/{kind}", Kinds.schema, dict, LIVE, "The JSON Schema of a kind"),
)
