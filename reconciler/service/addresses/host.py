"""How a host stands."""

from __future__ import annotations

from typing import Final

from reconciler import answers
from reconciler.service.endpoint import (
    NOW,
    PROBES,
    Endpoint,
    Role,
    Runs,
    read,
)
from reconciler.service.host import Health, Host, Ready

STATUS: Final = (read("/v1/status", Host.status, answers.Status, NOW, "How this host stands", weak=True),)
HEALTH: Final = (
    Endpoint(
        "GET",
        "/healthz",
        Host.health,
        "Whether every thread gives signs of life",
        PROBES,
        Health,
        role=Role.OPEN,
        runs=Runs.LOOP,
        unavailable="stuck",
    ),
    Endpoint(
        "GET",
        "/readyz",
        Host.readiness,
        "Whether the first reconcile has ended",
        PROBES,
        Ready,
        role=Role.OPEN,
        runs=Runs.LOOP,
        unavailable="not-ready",
    ),
)
ENDPOINTS: Final = (*STATUS, *HEALTH)
