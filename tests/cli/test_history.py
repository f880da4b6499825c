"""`history`, `show`, `diff`, `blame` and the filters of `log`."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.bundled import find_example_repository
from reconciler.service.history import History
from tests.support import configs
from tests.support.daemons import running

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Answer, Host, Past

pytestmark = pytest.mark.slow

RISK = "users/fx-majors-01.yaml"
AUTHOR = "Ann Trader"
RETIRED = "Retire it\n\nReconciler-Approve: prune"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\S+Z")
ANN = ("Ann Lee", "ann@desk.example")


def eventful(host: Host) -> None:
    """One user: made, changed by somebody else, invalid, taken out and back again; a system beside it."""
    text = (find_example_repository() / RISK).read_text(encoding="utf-8")
    less = text.replace("risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.5")
    host.repo.commit({RISK: text, "systems/s.yaml": configs.system("desk")}, "Begin\n\nWith one user.")
    host.repo.commit({RISK: less}, "Cut risk \N{RIGHT-TO-LEFT OVERRIDE}on the majors", author=ANN)
    host.repo.git("tag", "cut")
    host.repo.commit({RISK: less.replace("max_open_trades: 6", "max_open_trades: 0")}, "Slip")
    host.repo.commit({RISK: None, "reconciler.yaml": RULES}, RETIRED)
    assert host.run("sync").code == 0


RULES = "apiVersion: reconciler/v1\nkind: Repository\nspec:\n  prune:\n    mode: deactivate\n"


def rewritten(host: Host) -> None:
    """The same, and then the last three commits were pushed over."""
    eventful(host)
    host.repo.git("update-ref", "refs/heads/main", host.repo.git("rev-parse", "main~3"))
    host.edit(RISK, "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.6", "Cut risk less")
    assert host.run("sync").code == 0


@pytest.fixture
def desk(begin: Callable[[Past], Host]) -> Host:
    """The eventful host."""
    return begin(eventful)


@pytest.fixture
def forced(begin: Callable[[Past], Host]) -> Host:
    """The one with a history that was rewritten."""
    return begin(rewritten)


def asked(host: Host, *command: str, code: int = 0) -> Any:
    answer = host.run(*command, "--format", "json")
    assert answer.code == code, answer.err
    return json.loads(answer.out)


def shas(host: Host, revision: str = "main") -> list[str]:
    """Abbreviated, oldest first."""
    return [sha[:8] for sha in host.repo.git("rev-list", "--reverse", revision).splitlines()]


def without_moments(answer: Answer) -> list[str]:
    return [MOMENT.sub("TIME", line) for line in answer.out.splitlines()]


def test_the_history_of_a_resource_that_is_gone(desk: Host) -> None:
    first, second, _, last = shas(desk)
    answer = desk.run("history", "user", "fx-majors-01")
    assert (answer.code, answer.err) == (0, "")
    assert without_moments(answer)[:8] == [
        f"{last}  TIME  {AUTHOR}  Retire it",
        f"- User fx-majors-01  {RISK}:3  (row becomes INACTIVE)",
        "",
        f"{second}  TIME  Ann Lee  Cut risk \\u202eon the majors",
        f"~ User fx-majors-01  {RISK}:3",
        "    risk_per_trade_percent  0.75 → 0.5 percent  (tightens, 0.667 x)",
        "",
        f"{first}  TIME  {AUTHOR}  Begin",
    ]
    assert "    max_open_trades         6 trades" in answer.out.splitlines()


def test_a_history_as_json(desk: Host) -> None:
    told = asked(desk, "history", "Users", "fx-majors-01")
    assert [one["op"] for one in told] == ["delete", "update", "create"]
    assert [one["commit"][:8] for one in told] == [shas(desk)[at] for at in (3, 1, 0)]
    assert told[1]["fields"] == [{"field": "risk_per_trade_percent", "old": 0.75, "new": 0.5}]
    assert told[1]["author"]["name"] == "Ann Lee"
    assert (told[1]["orphaned"], told[1]["height"], told[0]["destructive"]) == (False, 2, True)
    assert told == asked(desk, "history", "user", told[0]["id"])
    assert asked(desk, "history", "user", "fx-majors-01", "-n", "1") == told[:1]


def test_the_newest_changes_of_all(desk: Host) -> None:
    told = asked(desk, "history")
    assert [(one["op"], one["kind"]) for one in told] == [
        ("delete", "User"),
        ("update", "User"),
        ("create", "System"),
        ("create", "User"),
    ]
    assert asked(desk, "history", "-n", "2") == told[:2]
    lines = desk.run("history").out.splitlines()
    assert [line[0] for line in lines if line.startswith(("+ ", "~ ", "- "))] == list("-~++")


@pytest.mark.parametrize("name", ["nobody", "' OR 1=1 --", "two\nlines", "\N{RIGHT-TO-LEFT MARK}", "", "é\\"])
def test_names_that_nobody_goes_by(desk: Host, name: str) -> None:
    for command in (["history", "user", name], ["blame", "user", name], ["show", "user", name, "--at", "2999-01-01"]):
        answer = desk.run(*command)
        assert (answer.code, answer.out) == (3, ""), answer.out
        assert answer.err.startswith("error: ")
    assert asked(desk, "log", "--name", name) == []


def test_what_is_meant_is_asked_back(desk: Host) -> None:
    assert "there is no kind usr\nhint: did you mean user?" in desk.run("history", "usr", "x").err
    assert "hint: did you mean fx-majors-01?" in desk.run("history", "user", "fx-major-01").err
    assert "whose history?" in desk.run("history", "user").err


def test_a_row_is_shown_as_it_was(host: Host, begin: Callable[[Past], Host]) -> None:
    host = begin(eventful)
    values = {at: asked(host, "show", "user", "fx-majors-01", "--at", sha) for at, sha in enumerate(shas(host))}
    assert [values[at]["risk_per_trade_percent"] for at in range(4)] == [0.75, 0.5, 0.5, 0.5]
    assert [values[at]["status"] for at in range(4)] == ["ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE"]
    assert values[3] == asked(host, "get", "user", "fx-majors-01")
    assert asked(host, "show", "users", "--at", shas(host)[3]) == asked(host, "get", "users")
    assert values[1] == asked(host, "show", "user", "fx-majors-01", "--at", "cut")
    assert values[1] == asked(host, "show", "user", "fx-majors-01", "--at", "main~2")


def test_a_row_at_a_moment(desk: Host) -> None:
    moments = desk.repo.git("log", "--reverse", "--format=%cI", "main").splitlines()
    at = [asked(desk, "show", "user", "fx-majors-01", "--at", moment) for moment in moments]
    assert [one["risk_per_trade_percent"] for one in at] == [0.75, 0.5, 0.5, 0.5]
    assert at[3]["status"] == "INACTIVE"
    early = desk.run("show", "user", "fx-majors-01", "--at", "1999-12-31")
    assert (early.code, early.err.splitlines()[0]) == (3, "error: nothing was committed by 1999-12-31")
    for wrong, why in (("2026-11-22T10:00", "could be meant in any time zone"), ("2026-13-01", "is no moment")):
        answer = desk.run("show", "user", "fx-majors-01", "--at", wrong)
        assert answer.code == 3
        assert why in answer.err


def test_what_is_shown_says_of_when(desk: Host) -> None:
    answer = desk.run("show", "user", "fx-majors-01", "--at", shas(desk)[2])
    assert ["risk_per_trade_percent", "0.5", "percent"] in [line.split() for line in answer.out.splitlines()]
    assert answer.err.startswith(f"as of {shas(desk)[2]}, commit 3, committed ")
    assert answer.err.endswith(", invalid: what was valid before it\n")
    assert desk.run("-q", "show", "user", "fx-majors-01", "--at", shas(desk)[2]).err == ""


def test_a_revision_that_is_not_in_the_history(desk: Host) -> None:
    unseen = desk.repo.commit({"note.txt": "x"}, "Not synced")
    answer = desk.run("show", "users", "--at", unseen)
    assert (answer.code, answer.err.splitlines()[0]) == (3, f"error: {unseen} is not in the history")
    assert "no commit goes by" in desk.run("show", "users", "--at", "no-such-tag").err
    assert "does" not in desk.run("diff", "cut", "cut").err


def test_a_live_commit_that_the_history_lacks_is_told(desk: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a kill of a daemon that had not recorded it yet."""
    desk.repo.commit({"systems/t.yaml": configs.system("t")}, "Live only")
    head = desk.repo.git("rev-parse", "main")
    with monkeypatch.context() as without:
        without.setenv("RECONCILER_HISTORY_URL", "none")
        assert desk.run("sync").code == 0
    for arguments in ((), ("--kind", "system"), ("--format", "json")):
        told = desk.run("log", *arguments)
        assert told.err.startswith(f"{head[:8]} is live and not in the history yet: ")
        assert head[:8] not in told.out
    told = desk.run("blame", "user", "fx-majors-01")
    assert (told.code, "and so does `reconciler sync`" in told.err) == (3, True)
    assert desk.run("sync").code == 0
    assert "not in the history" not in desk.run("log").err
    assert head[:8] in desk.run("log").out


def test_a_side_branch_never_was_live_by_itself(desk: Host) -> None:
    desk.repo.git("branch", "side", "main")
    side = desk.repo.commit({"systems/t.yaml": configs.system("t")}, "Aside", branch="side")
    desk.repo.merge("side")
    assert desk.run("sync").code == 0
    answer = desk.run("show", "system", "t", "--at", side)
    assert answer.code == 3
    assert f"{side[:8]} is of a side branch, which never was live by itself" in answer.err
    assert asked(desk, "show", "system", "t", "--at", "main")["log_level"] == "INFO"


def test_a_diff_of_two_points(desk: Host) -> None:
    first, second, _, last = shas(desk)
    answer = desk.run("diff", first, last)
    assert answer.code == 2
    assert answer.out.splitlines() == [
        f"- User fx-majors-01  {RISK}:3  (row becomes INACTIVE)",
        "",
        "1 unchanged",
        "0 to create, 0 to update, 1 to delete.",
    ]
    told = asked(desk, "diff", first, "cut", code=2)
    (change,) = told["changes"]
    assert change["fields"] == [{"field": "risk_per_trade_percent", "old": 0.75, "new": 0.5}]
    assert [told["base"][:8], told["head"][:8]] == [first, second]
    assert told["summary"] == {"create": 0, "update": 1, "delete": 0, "unchanged": 1}
    (back,) = asked(desk, "diff", "cut", first, code=2)["changes"]
    assert back["fields"] == [{"field": "risk_per_trade_percent", "old": 0.5, "new": 0.75}]
    same = desk.run("diff", second, shas(desk)[2])
    assert (same.code, same.out) == (0, "no changes, 2 unchanged\n0 to create, 0 to update, 0 to delete.\n")
    assert desk.run("diff", "1999-01-01", last).code == 3


def test_who_set_each_field(desk: Host) -> None:
    first, second, _, last = shas(desk)
    told = {one["field"]: one for one in asked(desk, "blame", "user", "fx-majors-01")["fields"]}
    assert {name: told[name]["commit"][:8] for name in ("status", "risk_per_trade_percent", "max_open_trades")} == {
        "status": last,
        "risk_per_trade_percent": second,
        "max_open_trades": first,
    }
    assert (told["risk_per_trade_percent"]["value"], told["risk_per_trade_percent"]["unit"]) == (0.5, "percent")
    lines = desk.run("blame", "user", "fx-majors-01").out.splitlines()
    assert lines[0].split() == ["field", "value", "commit", "committed", "author", "message"]
    (risk,) = [line for line in lines if line.startswith("risk_per_trade_percent")]
    assert risk.endswith("Ann Lee     Cut risk \\u202eon the majors")
    assert second in risk


def test_what_comes_back_is_blamed_anew(desk: Host) -> None:
    back = desk.repo.commit({RISK: desk.repo.git("show", f"cut:{RISK}") + "\n"}, "Take it back")
    assert desk.run("sync").code == 0
    fields = asked(desk, "blame", "user", "fx-majors-01")["fields"]
    assert {one["commit"] for one in fields} == {back}


def test_a_row_that_is_gone_for_good_has_nobody_to_blame(desk: Host) -> None:
    desk.repo.commit({"systems/s.yaml": None}, "No more\n\nReconciler-Approve: prune")
    assert desk.run("sync").code == 0
    answer = desk.run("blame", "system", "desk")
    assert answer.code == 3
    assert answer.err == "error: no System desk is live any more\nhint: see `reconciler history system desk`\n"
    assert asked(desk, "history", "system", "desk")[0]["op"] == "delete"
    assert "no System desk was live at main" in desk.run("show", "system", "desk", "--at", "main").err


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], [3, 2, 1, 0]),
        (["--author", "ann LEE"], [1]),
        (["--author", "' OR 1=1 --"], []),
        (["--kind", "user"], [3, 1, 0]),
        (["--kind", "system"], [0]),
        (["--name", "fx-majors-01"], [3, 1, 0]),
        (["--kind", "system", "--name", "fx-majors-01"], []),
        (["--status", "invalid"], [2]),
        (["--status", "VALID", "-n", "1"], [3]),
        (["--status", "orphaned"], []),
        (["--since", "2999-01-01"], []),
        (["--until", "1999-01-01"], []),
        (["--since", "1999-01-01", "--until", "2999-01-01T00:00Z"], [3, 2, 1, 0]),
    ],
)
def test_the_log_by_filter(desk: Host, filters: list[str], expected: list[int]) -> None:
    assert [one["commit"][:8] for one in asked(desk, "log", *filters)] == [shas(desk)[at] for at in expected]


def test_a_date_covers_its_day(desk: Host) -> None:
    day = desk.repo.git("log", "-1", "--date=format-local:%Y-%m-%d", "--format=%cd", "main")
    on_that_day = asked(desk, "log", "--since", day, "--until", day)
    assert shas(desk)[-1] in [one["commit"][:8] for one in on_that_day]


def test_after_a_force_push_it_is_said_what_was_dropped(forced: Host) -> None:
    told = asked(forced, "history", "user", "fx-majors-01")
    assert [(one["op"], one["orphaned"]) for one in told] == [
        ("delete", True),
        ("update", False),
        ("update", True),
        ("create", False),
    ]
    by_message = {one["message"].strip(): one for one in told}
    assert by_message["Cut risk less"]["fields"] == [{"field": "risk_per_trade_percent", "old": 0.75, "new": 0.6}]
    dropped = by_message["Cut risk \N{RIGHT-TO-LEFT OVERRIDE}on the majors"]
    assert dropped["fields"] == [{"field": "risk_per_trade_percent", "old": 0.75, "new": 0.5}]
    assert {"field": "risk_per_trade_percent", "old": 0.5, "new": None} in by_message[RETIRED]["fields"]
    text = forced.run("history", "user", "fx-majors-01")
    assert text.out.count("  (orphaned)\n") == 2
    assert text.err == "3 commits left the branch: `reconciler log --status orphaned`\n"
    assert forced.run("log").err == text.err
    assert len(asked(forced, "log", "--status", "orphaned")) == 3
    then = asked(forced, "show", "user", "fx-majors-01", "--at", dropped["commit"])
    assert then["risk_per_trade_percent"] == 0.5
    assert "orphaned" in forced.run("show", "user", "fx-majors-01", "--at", dropped["commit"]).err
    (change,) = asked(forced, "diff", dropped["commit"], "main", code=2)["changes"]
    assert change["fields"] == [{"field": "risk_per_trade_percent", "old": 0.5, "new": 0.6}]


def test_without_git_the_history_still_answers(desk: Host) -> None:
    sha = shas(desk)[1]
    before = [desk.run(*command).out for command in QUESTIONS]
    away = desk.repo.path.with_name("away")
    shutil.move(desk.repo.path, away)
    try:
        assert [desk.run(*command).out for command in QUESTIONS] == before
        assert asked(desk, "show", "user", "fx-majors-01", "--at", sha)["risk_per_trade_percent"] == 0.5
        answer = desk.run("show", "user", "fx-majors-01", "--at", "cut")
        assert answer.code == 3
        assert "cut is no sha of the history, and git, which knows tags, cannot be asked" in answer.err
    finally:
        shutil.move(away, desk.repo.path)


QUESTIONS = (
    ["history"],
    ["history", "user", "fx-majors-01"],
    ["blame", "user", "fx-majors-01"],
    ["show", "user", "fx-majors-01", "--at", "2999-01-01"],
    ["log", "--author", "ann"],
)


def test_without_a_history(desk: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_HISTORY_URL", "none")
    for command in (*QUESTIONS, ["diff", "main", "main"]):
        answer = desk.run(*command)
        assert answer.code == 3
        assert "this host keeps no history" in answer.err


def test_before_the_first_sync(host: Host) -> None:
    assert asked(host, "history") == []
    assert host.run("history", "user", "x").code == 3
    assert host.run("diff", "main", "main").code == 3
    assert not host.state.exists()


def test_a_kind_that_came_and_a_field_that_came_later(desk: Host) -> None:
    schema = json.loads((find_example_repository() / "schemas" / "broker.schema.json").read_text(encoding="utf-8"))
    broker = (find_example_repository() / "brokers" / "caldervale-eu.yaml").read_text(encoding="utf-8")
    desk.repo.commit({"schemas/broker.schema.json": json.dumps(schema), "brokers/b.yaml": broker}, "Brokers")
    assert desk.run("sync").code == 0
    made = asked(desk, "history", "broker", "caldervale-eu")
    assert [one["op"] for one in made] == ["create"]
    schema["properties"]["spec"]["properties"]["desk_note"] = {
        "type": "string",
        "maxLength": 20,
        "description": "a note",
    }
    schema["x-reconciler"]["columns"]["desk_note"] = "VARCHAR(20)"
    desk.repo.commit({"schemas/broker.schema.json": json.dumps(schema)}, "A note")
    noted = broker.replace("spec:\n", "spec:\n  desk_note: slow\n")
    desk.repo.commit({"brokers/b.yaml": noted}, "Slow")
    assert desk.run("sync").code == 0
    changed = asked(desk, "history", "broker", "caldervale-eu")
    assert [one | {"fate": "live", "live": made[0]["live"]} for one in changed[1:]] == made
    assert (made[0]["fate"], changed[1]["fate"]) == ("live", "was-live")
    assert changed[0]["fields"] == [{"field": "desk_note", "old": None, "new": "slow"}]
    assert "desk_note" in asked(desk, "show", "broker", "caldervale-eu", "--at", "main~2")


def test_a_kind_that_a_force_push_took_away(desk: Host) -> None:
    schema = (find_example_repository() / "schemas" / "broker.schema.json").read_text(encoding="utf-8")
    broker = (find_example_repository() / "brokers" / "caldervale-eu.yaml").read_text(encoding="utf-8")
    made = desk.repo.commit({"schemas/broker.schema.json": schema, "brokers/b.yaml": broker}, "Brokers")
    assert desk.run("sync").code == 0
    desk.repo.git("update-ref", "refs/heads/main", f"{made}~1")
    assert desk.run("sync", "--approve", "main").code == 0
    assert "did you mean broker_config?" in desk.run("history", "broker_confi", "caldervale-eu").err
    (lost,) = asked(desk, "history", "broker_config", "caldervale-eu")
    assert (lost["orphaned"], lost["op"]) == (True, "create")
    assert desk.run("history").code == 0
    assert asked(desk, "diff", made, "main", code=2)["summary"]["delete"] == 1


def test_a_daemon_answers_the_same(desk: Host) -> None:
    command = ["diff", shas(desk)[0], "main"]
    questions = (*QUESTIONS, command, ["show", "user", "fx-majors-01", "--at", "cut"], ["log", "--name", "desk"])
    alone = [desk.run(*question) for question in questions]
    with running(desk.repo.path, desk.state, {"HISTORY_URL": "chdb"}) as daemon:
        daemon.await_live(desk.repo.git("rev-parse", "main"))
        served = [desk.run(*question) for question in questions]
        assert [(one.code, one.out) for one in served] == [(one.code, one.out) for one in alone]
        unknown = desk.run("history", "user", "' OR 1=1 --")
        assert (unknown.code, unknown.err.splitlines()[0]) == (3, "error: the history knows no User ' OR 1=1 --")
        told = daemon.client().ask(History.version, shas(desk)[1])
        assert (told["version"]["height"], told["changes"][0]["op"]) == (2, "update")
