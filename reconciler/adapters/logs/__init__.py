"""The daemon's log: JSON lines in the state folder, lines for people on stderr, secrets in neither.

On logging of the standard library, through which uvicorn, warnings and drivers speak; the JSON is python-json-logger's.
"""

from reconciler.adapters.logs.console import Style, style_of
from reconciler.adapters.logs.events import EventLog
from reconciler.adapters.logs.log import DaemonLog
from reconciler.adapters.logs.redaction import Redactor

__all__ = ["DaemonLog", "EventLog", "Redactor", "Style", "style_of"]
