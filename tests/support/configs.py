"""Small configurations as YAML, for tests that care about histories rather than fields."""

from __future__ import annotations

from typing import Any

import yaml


def document(kind: str, name: str, spec: dict[str, Any], refs: dict[str, Any] | None = None) -> str:
    """One document."""
    metadata: dict[str, Any] = {"name": name}
    if refs:
        metadata["refs"] = refs
    whole = {"apiVersion": "reconciler/v1", "kind": kind, "metadata": metadata, "spec": spec}
    return yaml.safe_dump(whole, sort_keys=False)


def user(name: str, *, risk: float = 0.5, **more: Any) -> str:
    """A user."""
    spec = {
        "lot_size_type": "FIXED",
        "lot_size_value": 0.1,
        "risk_per_trade_percent": risk,
        "stop_loss_type": "FIXED",
        "take_profit_type": "FIXED",
        "max_open_trades": 4,
        "trade_direction": "BOTH",
        "status": "ACTIVE",
        **more,
    }
    return document("User", name, spec)


def signal(name: str, *, users: list[str] | None = None, risk: float = 0.5) -> str:
    """A signal, which may refer to users."""
    spec = {
        "entry_strategy": "BREAKOUT",
        "exit_strategy": "STOP_LOSS",
        "lot_size_type": "FIXED",
        "risk_per_trade_percent": risk,
        "trade_direction": "BOTH",
        "status": "ACTIVE",
    }
    return document("Signal", name, spec, {"users": users} if users else None)


def system(name: str, *, level: str = "INFO") -> str:
    """A system, a kind without a status."""
    spec = {
        "log_level": level,
        "backup_interval_sec": 3600,
        "max_log_size_mb": 64,
        "cache_size_mb": 128,
        "sync_interval_sec": 5,
    }
    return document("System", name, spec)


BROKEN = "apiVersion: reconciler/v1\nkind: User\n\tmetadata: {}\n"
"""A file that is no YAML."""
