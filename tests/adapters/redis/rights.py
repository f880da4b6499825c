"""The rights of logins, as the documentation lists them."""

from __future__ import annotations

import re
from pathlib import Path

LINES = re.compile(r"^ACL SETUSER (\S+) on >PASSWORD ((?:.|\n  )*)$", re.MULTILINE)
DOCUMENTED = {
    name: rules.split() for name, rules in LINES.findall(Path("docs/sessions.md").read_text(encoding="utf-8"))
}
"""The rules of each ACL line in the documentation."""
