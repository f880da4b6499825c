"""What became of each commit on this host: one that was refused never looks as if it had gone live."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.service.history import History
from reconciler.settings import load
from reconciler.wiring.host import open_services
from tests.cli.conftest import Host, first_synced

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Past
    from tests.conftest import Ticks

pytestmark = pytest.mark.slow  # whole hosts; `make test` has the parts

RISK, OTHER = "users/fx-majors-01.yaml", "users/gold-swing-01.yaml"
FIELD = "risk_per_trade_percent"
GOOD, BAD = f"{FIELD}: 0.75", f"{FIELD}: 9.5"


def refused_and_reverted(host: Host) -> None:
    """Live, refused by a policy, and taken back by a commit that went live."""
    first_synced(host)
    host.edit(RISK, GOOD, BAD, "Bet more")
    assert host.run("sync").code == 1
    host.edit(RISK, BAD, GOOD, "Revert the bet")
    assert host.run("sync").code == 0


@pytest.fixture
def reverted(begin: Callable[[Past], Host]) -> Host:
    return begin(refused_and_reverted)


@pytest.fixture
def synced(begin: Callable[[Past], Host]) -> Host:
    return begin(first_synced)


def ask(host: Host, what: str) -> Any:
    """What a command says as JSON."""
    answer = host.run(*what.split(), "--format", "json")
    assert answer.code in (0, 2), answer.err
    return json.loads(answer.out)


def fates(host: Host) -> list[str]:
    """Of every commit, the newest first."""
    return [version["fate"] for version in ask(host, "log -n 100")]


def test_the_log_tells_what_became_of_each_commit(reverted: Host) -> None:
    live, refused, was_live = ask(reverted, "log")
    assert [one["fate"] for one in (live, refused, was_live)] == ["live", "refused", "was-live"]
    assert [rule.partition("/")[0] for rule in refused["refused_by"]] == ["policy"] * 3
    assert (refused["live"], refused["status"]) == ([], "VALID")
    [span] = live["live"]
    [before] = was_live["live"]
    assert (span["until"], span["ended"]) == (None, None)
    assert (before["until"], before["ended"]) == (span["from"], "replaced")
    text = reverted.run("log").out
    assert f"refused by {refused['refused_by'][0]}" in text
    assert "live from 20" in text
    assert "was-live 20" in text


def test_the_reasons_stay_after_the_revert(reverted: Host) -> None:
    settings = load(None, {"repository.url": str(reverted.repo.path), "state.dir": str(reverted.state)}, {})
    told = open_services(settings).ask(History.version, reverted.repo.git("rev-parse", "HEAD~1").strip())
    assert told.version.fate == "refused"
    assert [reason.code for reason in told.reasons if reason.severity == "error"] == list(told.version.refused_by)
    assert told.reasons[0].message


def test_who_was_refused_has_set_nothing(reverted: Host) -> None:
    first = reverted.repo.git("rev-parse", "HEAD~2").strip()
    blamed = {field["field"]: field["commit"] for field in ask(reverted, "blame user fx-majors-01")["fields"]}
    assert set(blamed.values()) == {first}


def test_blame_is_of_the_live_row_while_the_head_is_refused(synced: Host) -> None:
    first = synced.repo.git("rev-parse", "HEAD").strip()
    synced.edit(RISK, GOOD, BAD)
    assert synced.run("sync").code == 1
    field = next(one for one in ask(synced, "blame user fx-majors-01")["fields"] if one["field"] == FIELD)
    assert (field["value"], field["commit"]) == (0.75, first)


@pytest.mark.parametrize("at", ["HEAD", "2099-01-01"])
def test_what_was_refused_is_not_shown_as_live(synced: Host, at: str) -> None:
    first = synced.repo.git("rev-parse", "HEAD").strip()
    synced.edit(RISK, GOOD, BAD)
    assert synced.run("sync").code == 1
    got = ask(synced, "get user fx-majors-01")
    shown = synced.run("show", "user", "fx-majors-01", "--at", at, "--format", "json")
    row = json.loads(shown.out)
    assert row[FIELD] == got[FIELD] == 0.75
    told = synced.run("show", "user", "fx-majors-01", "--at", at).err
    assert (f"what was live before it, {first[:8]}" if at == "HEAD" else "live on this host then") in told


def test_history_marks_what_never_went_live(reverted: Host) -> None:
    back, forth, created = ask(reverted, "history user fx-majors-01")
    assert [one["fate"] for one in (back, forth, created)] == ["live", "refused", "was-live"]
    assert forth["refused_by"]
    assert f"(refused by {', '.join(forth['refused_by'])})" in reverted.run("history", "user", "fx-majors-01").out


def test_of_a_step_only_the_last_commit_goes_live(synced: Host) -> None:
    synced.edit(RISK, GOOD, f"{FIELD}: 0.7")
    synced.edit(RISK, f"{FIELD}: 0.7", f"{FIELD}: oops")
    synced.edit(RISK, f"{FIELD}: oops", f"{FIELD}: 0.65")
    assert synced.run("sync").code == 0
    assert fates(synced) == ["live", "invalid", "skipped", "was-live"]
    assert ask(synced, "show user fx-majors-01 --at HEAD~2")[FIELD] == 0.7


def test_what_waits_is_pending_and_held_while_suspended(synced: Host) -> None:
    synced.edit(RISK, GOOD, f"{FIELD}: 0.7")
    assert synced.run("sync").code == 0
    synced.edit(RISK, f"{FIELD}: 0.7", BAD)
    synced.repo.commit({"note.md": "x"})
    assert synced.run("sync").code == 1
    assert fates(synced)[:3] == ["refused", "pending", "live"]
    assert synced.run("suspend", "--reason", "lunch").code == 0
    assert fates(synced)[:3] == ["refused", "held", "live"]


def test_an_approved_commit_is_live_and_not_refused(synced: Host) -> None:
    bad = synced.edit(RISK, GOOD, BAD)
    assert synced.run("sync").code == 1
    assert fates(synced) == ["refused", "live"]
    assert synced.run("sync", "--approve", bad).code == 0
    newest = ask(synced, "log")[0]
    assert (newest["fate"], newest["refused_by"]) == ("live", [])


def test_an_invalid_head_over_a_refused_commit_blames_both(synced: Host) -> None:
    first = synced.repo.git("rev-parse", "HEAD").strip()
    synced.edit(RISK, GOOD, BAD)
    synced.edit(OTHER, "kind: User", "kind: Usr")
    assert synced.run("sync").code == 1
    invalid, refused, live = ask(synced, "log")
    assert [one["fate"] for one in (invalid, refused, live)] == ["invalid", "refused", "live"]
    assert [rule.partition("/")[0] for rule in refused["refused_by"]] == ["policy"] * 3
    assert ask(synced, "show user fx-majors-01 --at HEAD")[FIELD] == 0.75
    assert first[:8] in synced.run("show", "user", "fx-majors-01", "--at", "HEAD").err


def switched_for_a_moment(host: Host, ticks: Ticks, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A host that followed another branch for six seconds, which is gone: the first commit, and that of the branch."""
    first = host.repo.git("rev-parse", "main").strip()
    text = host.repo.git("show", f"main:{RISK}").replace(GOOD, f"{FIELD}: 0.5")
    gone = host.repo.commit({RISK: text + "\n"}, "Try it", branch="pr-25", parents=[first])
    ticks.passed += 60
    monkeypatch.setenv("RECONCILER_REPOSITORY_BRANCH", "pr-25")
    assert host.run("sync").code == 0
    ticks.passed += 6
    host.repo.git("branch", "-q", "-D", "pr-25")
    monkeypatch.setenv("RECONCILER_REPOSITORY_BRANCH", "main")
    assert host.run("sync").code == 0
    return first, gone


def test_what_was_live_for_a_moment_on_a_branch_that_is_gone(
    synced: Host, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, gone = switched_for_a_moment(synced, ticks, monkeypatch)
    listed = ask(synced, "log")
    assert [(one["commit"], one.get("branch")) for one in listed] == [(first, None), (gone, "pr-25")]
    assert [one["fate"] for one in listed] == ["live", "was-live"]
    [span] = listed[1]["live"]
    assert (len(listed[0]["live"]), span["ended"]) == (2, "branch-switched")
    values = {at: ask(synced, f"show user fx-majors-01 --at {at}")[FIELD] for at in (span["from"], span["until"], gone)}
    assert list(values.values()) == [0.5, 0.75, 0.5]
    assert "(branch pr-25)" in synced.run("show", "user", "fx-majors-01", "--at", span["from"]).err
    compared = ask(synced, f"diff {span['from']} {span['until']}")
    assert [(one["name"], one["op"]) for one in compared["changes"]] == [("fx-majors-01", "update")]
    changes = ask(synced, "history user fx-majors-01")
    assert [(one["commit"], one.get("branch")) for one in changes] == [(first, None), (gone, "pr-25")]
    assert "branch pr-25)" in synced.run("history", "user", "fx-majors-01").out
    assert [one["commit"] for one in ask(synced, "log --branch pr-25")] == [gone, first]


def test_between_two_pages_nothing_of_another_branch_is_lost(
    synced: Host, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = synced.repo.git("rev-parse", "main").strip()
    gone = synced.repo.commit({"a.md": "a"}, "Try it", branch="pr-25", parents=[first])
    newest = synced.repo.commit({"b.md": "b"})
    for branch in ("pr-25", "main"):
        monkeypatch.setenv("RECONCILER_REPOSITORY_BRANCH", branch)
        assert synced.run("sync").code == 0
    settings = load(None, {"repository.url": str(synced.repo.path), "state.dir": str(synced.state)}, os.environ)
    found: list[str] = []
    cursor: str | None = None
    while not found or cursor:
        page = open_services(settings).ask(History.versions, 1, cursor)
        found, cursor = [*found, *(one.commit for one in page.versions)], page.next
    assert found == [newest, gone, first]


def test_another_host_is_asked_by_name(synced: Host) -> None:
    for command in ("log", "uses user fx-majors-01"):
        told = synced.run(*command.split(), "--host", "nobody")
        assert (told.code, "knows no host nobody" in told.err) == (3, True)
    name = ask(synced, "log")[0]["live"][0]["host"]
    assert ask(synced, f"uses user fx-majors-01 --host {name}") == ask(synced, "uses user fx-majors-01")


@pytest.mark.parametrize(
    ("seconds", "said"), [(16_725_225_600, "2500-01-01T00:00:00Z"), (10**15, "seconds after 1970")]
)
def test_a_date_that_no_column_holds_is_marked(synced: Host, seconds: int, said: str) -> None:
    first = synced.repo.git("rev-parse", "HEAD").strip()
    tree = synced.repo.git("rev-parse", "HEAD^{tree}").strip()
    person = f"A <a@example.com> {seconds} +0000"
    late = f"tree {tree}\nparent {first}\nauthor {person}\ncommitter {person}\n\nLate\n"
    synced.repo.raw_commit(late.encode())
    assert synced.run("sync").code == 0
    newest, before = ask(synced, "log")
    assert [(one["code"], one["severity"]) for one in newest["problems"]] == [("date-out-of-range", "warning")]
    assert (said in newest["problems"][0]["message"], before["problems"]) == (True, [])
    verified = synced.run("verify")
    assert (verified.code, "date-out-of-range: 1" in verified.out) == (0, True)
    told = ask(synced, "verify")
    assert (told["differences"], told["approximated"]["count"]) == ([], 1)
    assert "warning  dates" in synced.run("doctor").out
