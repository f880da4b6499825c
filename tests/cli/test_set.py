"""`reconciler set`: the file says what was asked for, or is as it was; the plan of it is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reconciler.editing.edited import EditedFile
from reconciler.errors import RefusedError
from reconciler.wiring.checkout import write_edited

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Host

USER, DEMO = "users/fx-majors-01.yaml", "accounts/op-demo.yaml"


def test_a_valid_edit_is_written_and_its_plan_is_shown(synced: Host) -> None:
    synced.repo.git("reset", "--hard")
    file = synced.repo.path / USER
    before = file.read_bytes().replace(b"\n", b"\r\n")
    file.write_bytes(before)
    file.chmod(0o640)
    answer = synced.run("set", "user", "fx-majors-01", "risk_per_trade_percent=0.5", "labels.desk=fx")
    assert answer.code == 0, answer
    assert "    risk_per_trade_percent  0.75 → 0.5 percent  (tightens, 0.667 x)\n" in answer.out
    assert answer.out.endswith("0 to create, 1 to update, 0 to delete.\n")
    assert f'next: git commit -m "fx-majors-01: risk_per_trade_percent, labels.desk" -- {USER}' in answer.err
    wanted = before.replace(b"percent: 0.75  #", b"percent: 0.5  #")
    assert file.read_bytes() == wanted.replace(b"01\r\nspec", b"01\r\n  labels:\r\n    desk: fx\r\nspec")
    assert file.stat().st_mode & 0o777 == 0o640
    assert synced.repo.git("status", "--porcelain") == f" M {USER}"
    again = synced.run("set", "user", "fx-majors-01", "risk_per_trade_percent=0.50")
    assert (again.code, again.out) == (0, "")


@pytest.mark.slow
def test_what_is_wrong_or_refused_is_not_written(host: Host) -> None:
    host.repo.git("reset", "--hard")
    demo = host.repo.path / DEMO
    before = demo.read_bytes()
    wrong = host.run("set", "account", "op-demo", "cv-eurusd", "leverage=1:30", "leverge=1", "status=OFF")
    assert wrong.code == 1
    codes = [line.partition("[")[2].partition("]")[0] for line in wrong.out.splitlines()]
    assert sorted(codes) == sorted(2 * ["ambiguous-scalar", "unknown-field", "not-allowed"])
    assert "write 30, the number after the colon" in wrong.out
    refused = host.run("set", "account", "op-demo", "leverage=500")
    assert (refused.code, "[policy/number-jump]" in refused.out) == (1, True)
    assert "policy/number-jump would refuse the commit" in refused.err
    unknown = host.run("set", "account", "op-dmo", "leverage=1")
    assert (unknown.code, "did you mean op-demo?" in unknown.err) == (3, True)
    assert host.run("set", "account", "op-demo", "leverage=200", "--dry-run").code == 2
    assert demo.read_bytes() == before
    assert host.repo.git("status", "--porcelain") == ""
    forced = host.run("set", "account", "op-demo", "leverage=500", "--force", "--format", "json")
    answer = json.loads(forced.out)
    assert (forced.code, answer["written"], answer["files"]) == (1, True, [DEMO])
    assert [problem["code"] for problem in answer["problems"]] == ["policy/number-jump"]
    assert answer["changes"][0]["fields"] == [{"field": "leverage", "old": 100, "new": 500}]
    assert demo.read_bytes() == before.replace(b"leverage: 100", b"leverage: 500")


def test_nothing_is_written_over_what_somebody_else_wrote(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    for file in (one, two):
        file.write_bytes(b"a: 1\n")
    files = [EditedFile(file.name, b"a: 1\n", b"a: 2\n") for file in (one, two)]
    two.write_bytes(b"a: 7\n")
    with pytest.raises(RefusedError, match="changed meanwhile"):
        write_edited(tmp_path, files)
    assert (one.read_bytes(), two.read_bytes()) == (b"a: 1\n", b"a: 7\n")
    two.unlink()
    two.symlink_to(one)
    with pytest.raises(RefusedError):
        write_edited(tmp_path, files)
    assert one.read_bytes() == b"a: 1\n"
