"""Something that does not work on a host, and whether it may mend itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Outlook(StrEnum):
    """What will come of it: nothing before a human has done something, or trying again may help."""

    STALLED = "Stalled"
    RETRYING = "Retrying"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that does not work. `about` is what; `reason` one CamelCase word; `since` when it began (UTC)."""

    about: str
    outlook: Outlook
    reason: str
    message: str
    hint: str
    since: datetime
