"""Settings for programs that run beside the daemon, in a fraction of a millisecond.

    from reconciler.client import Config

    config = Config("127.0.0.1:6379", daemon="http://127.0.0.1:8642")  # or the state folder of a daemon
    row = config.user("fx-majors-01")
    row.risk_per_trade_percent, row["status"], row.age

What is asked for as an attribute is a kind, whatever kinds the repository has.
"""

from reconciler.adapters.redis.cache import CannotTell
from reconciler.client.config import Config
from reconciler.client.sources import Change, NoSuchRow, Row

__all__ = ["CannotTell", "Change", "Config", "NoSuchRow", "Row"]
