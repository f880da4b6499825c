"""How much an entry of the log matters."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """The words of the setting `log_level`, from the most talkative on."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"
