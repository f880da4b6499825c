"""`get` of rows that a halt keeps off: what is live, and that git says another thing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from tests.cli.conftest import Host

HALTED = ("fx-majors-01", "gold-swing-01")


def test_rows_that_are_halted_are_told_apart(synced: Host) -> None:
    assert synced.run("halt", "user", *HALTED, "--reason", "the feed is wrong").code == 0
    many = synced.run("get", "user")
    assert "halted: fx-majors-01, gold-swing-01; `reconciler halt` shows by whom and why" in many.err
    assert "halted:" not in synced.run("get", "broker").err
    one = synced.run("get", "user", "fx-majors-01")
    assert "halted: fx-majors-01, and git says status ACTIVE;" in one.err
    rows = json.loads(synced.run("get", "user", "-o", "json").out)
    assert {row["name"]: row["_declared"] for row in rows if "_declared" in row} == {
        name: {"status": "ACTIVE"} for name in HALTED
    }
    assert {row["status"] for row in rows if row["name"] in HALTED} == {"INACTIVE"}


def test_a_document_is_what_git_declares(synced: Host) -> None:
    """Whoever writes it into the file it came from changes nothing."""
    before = synced.run("get", "user", "-o", "yaml").out
    synced.run("halt", "--all", "--reason", "the feed is wrong")
    assert synced.run("get", "user", "-o", "yaml").out == before
    assert yaml.safe_load(synced.run("get", "user", "fx-majors-01", "-o", "yaml").out)["spec"]["status"] == "ACTIVE"
