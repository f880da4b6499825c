"""Copies of values with other fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import replace  # mypy checks the fields of this one
else:
    from msgspec.structs import replace

__all__ = ["replace"]
