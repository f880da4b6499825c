"""A file to a policy. Whether its SQL is any good, only the database can say."""

from __future__ import annotations

import re

from reconciler.model.problem import Policy, Problem
from reconciler.policy.wording import plain

BAD_POLICY = "bad-policy"
SUFFIX = ".sql"
MOST_BYTES = 100_000
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
EXAMPLE = "SELECT 'what is wrong' AS message FROM desired.some_table WHERE …"


def read_policy(path: str, data: bytes) -> Policy | Problem:
    """The policy in a file (UTF-8, with or without a byte order mark), or what keeps it from being one.

    It goes by the file's name without `.sql`; its title is the comment line it begins with, else its name.
    """
    name = path.rpartition("/")[2].removesuffix(SUFFIX)
    if not NAME.fullmatch(name):
        message = f"the name of a policy is lower-case letters and digits with hyphens between: {name!a} is not"
        return _refused(path, message, f"call the file {_suggested(name)}.sql: its name becomes the problem's code")
    if len(data) > MOST_BYTES:
        return _refused(path, f"this file has {len(data):,} bytes, and a policy has at most {MOST_BYTES:,}")
    try:
        sql = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _refused(path, f"byte {error.start + 1:,} is not UTF-8", "save the file as UTF-8")
    if "\0" in sql:
        return _refused(path, "there is a NUL character in this file", "save the file as plain text in UTF-8")
    if not sql.strip():
        return _refused(path, "this file is empty", f"a policy is one SELECT: {EXAMPLE}")
    return Policy(name, path, _title(sql) or name, sql)


def _title(sql: str) -> str:
    """The first comment line, when nothing but blank ones come before it."""
    first = next((line.strip() for line in sql.splitlines() if line.strip()), "")
    return plain(first.lstrip("-")) if first.startswith("--") else ""


def _suggested(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "some-rule"


def _refused(path: str, message: str, hint: str = "") -> Problem:
    return Problem(path, 1, 1, BAD_POLICY, "", message, hint)
