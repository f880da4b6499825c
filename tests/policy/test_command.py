"""`reconciler policy`, on repositories on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.cli.main import run
from tests.support import configs

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("one_engine")

CAP = """-- A user risks at most one percent
SELECT 'User' AS kind, name, 'risk_per_trade_percent' AS field,
    concat(risk_per_trade_percent, ' is too much') AS message
FROM desired.user_config WHERE risk_per_trade_percent > 1
"""
KEEP = """-- An active user is not deleted
SELECT 'User' AS kind, old.user_id AS name, concat(new.name, ' was active, is ', new.status) AS message
FROM main.user_config AS old JOIN desired.user_config AS new USING (user_id)
WHERE new.path IS NULL AND old.status = 'ACTIVE'
"""
SETTINGS = "apiVersion: reconciler/v1\nkind: Repository\nspec: {}\n"


class Desk:
    """A repository on disk."""

    def __init__(self, root: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capture = capture
        self.write({"reconciler.yaml": SETTINGS, "policies/cap.sql": CAP})

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            file = self.root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")

    def run(self, *arguments: str) -> tuple[int, str, str]:
        self._capture.readouterr()
        code = run(["policy", *arguments, "--repo", str(self.root)])
        out, err = self._capture.readouterr()
        return code, out, err

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--format", "json")[1])


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path / "desk", capsys)


def small(name: str = "ann") -> str:
    return configs.user(name, risk=0.5)


def large(name: str = "ann") -> str:
    return configs.user(name, risk=2.5)


def case(policy: str, name: str, **files: str) -> dict[str, str]:
    """Files of a test; `main_x` stands for main/x.yaml."""
    places = {file: f"main/{file[5:]}" if file.startswith("main_") else file for file in files}
    return {f"policies/tests/{policy}/{name}/{places[file]}.yaml": text for file, text in files.items()}


def test_what_is_as_the_folders_say(desk: Desk) -> None:
    desk.write(case("cap", "pass-small", a=small()) | case("cap", "fail-large", a=large()))
    code, out, err = desk.run("test")
    assert code == 0
    assert out.splitlines() == [
        "ok    cap/fail-large  1 violation: User ann risk_per_trade_percent: 2.5 is too much",
        "ok    cap/pass-small  no violation",
        "2 tests of 1 policy: all as expected",
    ]
    assert err == ""


def test_a_test_fails_in_both_ways(desk: Desk) -> None:
    desk.write(case("cap", "pass", a=large(), b=large("bob")) | case("cap", "fail", a=small()))
    code, out, _ = desk.run("test")
    assert code == 1
    assert out.splitlines() == [
        "FAIL  cap/fail  no violation, and one was to be found",
        "FAIL  cap/pass  2 violations, and none was to be found: User ann risk_per_trade_percent: 2.5 is too much …",
        "2 tests of 1 policy: 2 failed",
    ]


def test_what_is_in_main_and_not_outside_was_deleted(desk: Desk) -> None:
    desk.write({"policies/keep.sql": KEEP} | case("cap", "pass", a=small()))
    desk.write(case("keep", "fail-deleted", main_a=small()))
    desk.write(case("keep", "pass-kept", main_a=small(), moved=small()))
    desk.write(case("keep", "pass-was-off", main_a=configs.user("ann", status="INACTIVE")))
    code, out, _ = desk.run("test", "keep")
    assert code == 0, out
    assert "ann was active, is INACTIVE" in out
    desk.write({"reconciler.yaml": SETTINGS.replace("{}", "{prune: {mode: delete}}")})
    assert "FAIL  keep/fail-deleted" in desk.run("test", "keep")[1]


def test_a_row_knows_when_it_changed(desk: Desk) -> None:
    changed = """SELECT concat(count(*) FILTER (new.updated_at > old.updated_at), count(*) FILTER
        (new.created_at = old.created_at)) AS message
        FROM desired.user_config AS new JOIN main.user_config AS old USING (user_id) HAVING count(*) > 0"""
    desk.write({"policies/cap.sql": changed})
    files = {"main_a": small(), "main_b": small("bob"), "a": small(), "b": large("bob"), "c": small("new")}
    desk.write(case("cap", "fail", **files))
    assert desk.json("test")["tests"][0]["violations"][0]["message"] == "12"


def test_only_the_rule_counts_and_not_what_is_wrong_between_files(desk: Desk) -> None:
    desk.write(case("cap", "fail", a=configs.signal("s", users=["nobody"]), b=large(), c=large()))
    code, out, _ = desk.run("test")
    assert code == 0, out
    assert "2 violations" in out


def test_a_test_with_problems_is_none(desk: Desk) -> None:
    desk.write(case("cap", "fail", a=large(), b=large("bob").replace("risk_per_trade_percent", "risk")))
    desk.write(case("cap", "pass", a=configs.BROKEN))
    code, out, _ = desk.run("test")
    assert code == 1
    assert "FAIL  cap/fail" in out
    assert "policies/tests/cap/fail/b.yaml:8:3: error [unknown-field]" in out
    assert "policies/tests/cap/pass/a.yaml:3:1: error [yaml-syntax]" in out
    assert "2 failed" in out


def test_kinds_of_the_repository_are_known(desk: Desk, request: pytest.FixtureRequest) -> None:
    schema = (request.config.rootpath / "config-repo-example/schemas/broker.schema.json").read_text(encoding="utf-8")
    broker = (request.config.rootpath / "config-repo-example/brokers/ostrin-prime.yaml").read_text(encoding="utf-8")
    desk.write({"schemas/broker.schema.json": schema})
    desk.write({"policies/cap.sql": "SELECT lot->>'step' AS message FROM desired.broker_config"})
    desk.write(case("cap", "fail", a=broker))
    assert desk.run("test")[0] == 0


def test_what_does_not_compile_is_told_once(desk: Desk) -> None:
    desk.write({"policies/cap.sql": CAP.replace("> 1", "> nothing")})
    for name in ("pass-a", "pass-b", "fail-a"):
        desk.write(case("cap", name, a=small()))
    code, out, _ = desk.run("test")
    assert code == 1
    assert out.count("[bad-policy]") == 1
    assert "policies/cap.sql:4:57: error [bad-policy]" in out
    assert out.splitlines()[-1] == "3 tests of 1 policy: 3 failed, 1 error"


def test_what_has_no_tests_is_run_all_the_same(desk: Desk) -> None:
    code, out, _ = desk.run("test")
    assert (code, out.splitlines()[-1]) == (0, "0 tests of 1 policy: all as expected")
    assert "policies/cap.sql:1:1: warning [untested-policy]" in out
    desk.write({"policies/cap.sql": "SELECT nope"})
    code, out, _ = desk.run("test")
    assert code == 1
    assert "[bad-policy]" in out


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("policies/tests/capp/pass/a.yaml", "there is no policy capp (did you mean cap?)"),
        ("policies/tests/cap/good/a.yaml", "good is neither pass… nor fail…"),
        ("policies/tests/cap/good/main/a.yaml", "good is neither pass… nor fail…"),
        ("policies/tests/cap/a.yaml", "this file is in no test"),
        ("policies/tests/a.yaml", "this file is in no test"),
    ],
)
def test_a_folder_that_tests_nothing_is_a_problem(desk: Desk, path: str, words: str) -> None:
    desk.write({path: small(), f"{path.rpartition('/')[0]}/b.yml": small("bob")})
    code, out, _ = desk.run("test")
    assert code == 1
    assert f"{path}:1:1: error [bad-policy-test]: {words}" in out
    assert out.count("[bad-policy-test]") == 1


def test_a_policy_that_cannot_be_read_is_told_and_its_tests_are_not_nobodys(desk: Desk) -> None:
    desk.write({"policies/cap.sql": " "} | case("cap", "pass", a=small()))
    code, out, _ = desk.run("test")
    assert code == 1
    assert "policies/cap.sql:1:1: error [bad-policy]: this file is empty" in out
    assert "bad-policy-test" not in out


def test_links_are_no_files(desk: Desk) -> None:
    desk.write(case("cap", "pass", a=small()))
    (desk.root / "policies/linked.sql").symlink_to("cap.sql")
    (desk.root / "policies/tests/cap/pass/b.yaml").symlink_to("a.yaml")
    code, out, _ = desk.run("test")
    assert code == 1
    assert out.count("error [not-a-file]") == 2


def test_what_is_wrong_with_the_repository_is_told(desk: Desk) -> None:
    desk.write({"reconciler.yaml": SETTINGS.replace("{}", "{polices: x}"), "schemas/x.schema.json": "{}"})
    code, out, _ = desk.run("test")
    assert code == 1
    assert "reconciler.yaml:3:" in out
    assert "schemas/x.schema.json:1:1: error [bad-schema]" in out


def test_policies_may_be_elsewhere(desk: Desk) -> None:
    desk.write({"reconciler.yaml": SETTINGS.replace("{}", "{policies: rules/sql}"), "rules/sql/cap.sql": CAP})
    desk.write({"rules/sql/tests/cap/fail/a.yaml": large(), "policies/other.sql": "SELECT nope"})
    code, out, _ = desk.run("test")
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()[:-1]] == ["cap/fail"]


def test_some_of_them(desk: Desk) -> None:
    desk.write({"policies/keep.sql": KEEP} | case("cap", "pass", a=small()) | case("keep", "pass", a=small()))
    assert [one["policy"] for one in desk.json("test", "keep")["tests"]] == ["keep"]
    code, out, err = desk.run("test", "kept")
    assert (code, out) == (3, "")
    assert "there is no policy kept (did you mean keep?)" in err


def test_nothing_to_test_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "test", "--repo", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert out == "0 tests of 0 policies: all as expected\n"
    assert "nothing was tested" in err


def test_as_json(desk: Desk) -> None:
    desk.write(case("cap", "pass", a=large()))
    told = desk.json("test")
    assert told == {
        "tests": [
            {
                "policy": "cap",
                "name": "pass",
                "path": "policies/tests/cap/pass",
                "passed": False,
                "violations": [
                    {
                        "message": "2.5 is too much",
                        "kind": "User",
                        "name": "ann",
                        "field": "risk_per_trade_percent",
                        "severity": "error",
                    }
                ],
                "problems": [],
            }
        ],
        "problems": [],
        "summary": {"policies": 1, "tests": 1, "failed": 1},
    }


def test_the_list(desk: Desk) -> None:
    desk.write({"policies/keep.sql": KEEP} | case("cap", "pass", a=small()) | case("cap", "fail", a=small()))
    code, out, err = desk.run("list")
    assert (code, err) == (0, "")
    assert [line.split("  ")[0] for line in out.splitlines()] == ["name", "cap", "keep"]
    assert desk.json("list")[0] == {
        "name": "cap",
        "title": "A user risks at most one percent",
        "path": "policies/cap.sql",
        "tests": 2,
    }
    desk.write({"policies/Bad.sql": CAP})
    code, out, err = desk.run("list")
    assert code == 1
    assert "policies/Bad.sql:1:1: error [bad-policy]" in err
