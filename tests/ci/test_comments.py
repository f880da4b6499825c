"""One comment for each configuration: found again among others, never somebody else's, whatever the platform does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from reconciler_ci import comments, telling
from reconciler_ci.comments import marked, upsert
from reconciler_ci.errors import Refused, Unavailable
from reconciler_ci.github_comments import PullRequest
from reconciler_ci.gitlab import MergeRequest
from reconciler_ci.review import PolicyTests
from reconciler_ci.telling import tells_change

from tests.ci.forge import BOT, LONGEST, TOKEN, Forge

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler_ci.comments import Thread

    Open = Callable[[], Thread]

MARKER = "<!-- reconciler:plan -->"


@pytest.fixture(params=["github", "gitlab"])
def open_thread(request: pytest.FixtureRequest, forge: Forge) -> Open:
    """How the thread is opened on either platform."""

    def github() -> Thread:
        return PullRequest.of(forge.environment, TOKEN, 7)

    def gitlab() -> Thread:
        known = {"CI_API_V4_URL": f"{forge.address}/api/v4", "CI_PROJECT_ID": "42", "CI_MERGE_REQUEST_IID": "7"}
        return MergeRequest.of(known, TOKEN)

    return github if request.param == "github" else gitlab


def put(open_thread: Open, body: str, *, needed: bool = True) -> str:
    """Without waiting between attempts."""
    return upsert(open_thread(), body, needed=needed, pause=0)


def test_written_then_updated_then_left(forge: Forge, open_thread: Open) -> None:
    assert put(open_thread, f"{MARKER}\none\n") == "written"
    assert put(open_thread, f"{MARKER}\ntwo\n") == "updated"
    asked = len(forge.asked)
    assert put(open_thread, f"{MARKER}\ntwo\n") == "as it was"
    assert not [line for line in forge.asked[asked:] if line.startswith(("PATCH", "PUT"))]
    assert forge.bodies() == [f"{MARKER}\ntwo\n"]


def test_found_on_a_later_page_and_with_other_line_ends(forge: Forge, open_thread: Open) -> None:
    for number in range(250):
        forge.write(f"comment {number}", "somebody")
    forge.write(f"{MARKER}\r\nold\r\n")
    forge.write("the last word", "somebody")
    assert put(open_thread, f"{MARKER}\nnew") == "updated"
    assert forge.bodies() == [f"{MARKER}\nnew"]
    assert sum("page=" in line for line in forge.asked) == 3


def test_a_full_last_page_is_no_end(forge: Forge, open_thread: Open) -> None:
    for number in range(100):
        forge.write(f"comment {number}", "somebody")
    assert put(open_thread, f"{MARKER}\nnew") == "written"
    assert put(open_thread, f"{MARKER}\nnewer") == "updated"


def test_the_marker_of_somebody_else_is_not_ours(forge: Forge, open_thread: Open) -> None:
    forge.write(f"{MARKER}\nforged", "mallory")
    forge.write(f"look: {MARKER}\nquoted")
    assert put(open_thread, f"{MARKER}\nreal") == "written"
    assert forge.bodies("mallory") == [f"{MARKER}\nforged"]
    assert forge.bodies() == [f"look: {MARKER}\nquoted", f"{MARKER}\nreal"]


def test_each_configuration_has_its_own(forge: Forge, open_thread: Open) -> None:
    for path in ("", "desks/a", "desks/b--c"):
        assert put(open_thread, marked(f"{MARKER}\nplan of {path}", path)) == "written"
    assert put(open_thread, marked(f"{MARKER}\nchanged", "desks/a")) == "updated"
    assert forge.bodies() == [
        f"{MARKER}\nplan of ",
        f"{MARKER}\n<!-- at desks/a -->\nchanged",
        f"{MARKER}\n<!-- at desks/b-%2Dc -->\nplan of desks/b--c",
    ]


def test_nothing_to_tell_makes_no_comment_and_mends_one(forge: Forge, open_thread: Open) -> None:
    assert put(open_thread, f"{MARKER}\nno changes", needed=False) == "nothing to tell"
    assert forge.comments == []
    forge.write(f"{MARKER}\n3 to delete")
    assert put(open_thread, f"{MARKER}\nno changes", needed=False) == "updated"
    assert forge.bodies() == [f"{MARKER}\nno changes"]


def test_a_passing_failure_is_tried_again(forge: Forge, open_thread: Open) -> None:
    forge.failures = [(500, {}), (429, {}), (403, {"Retry-After": "1"})]
    assert put(open_thread, f"{MARKER}\none") == "written"
    assert forge.bodies() == [f"{MARKER}\none"]


def test_a_write_whose_answer_was_lost_is_not_written_twice(forge: Forge, open_thread: Open) -> None:
    forge.lost_answers = 1
    assert put(open_thread, f"{MARKER}\none") == "as it was"
    assert forge.bodies() == [f"{MARKER}\none"]


def test_a_lasting_failure_is_given_up(forge: Forge, open_thread: Open) -> None:
    forge.failures = [(503, {})] * 9
    with pytest.raises(Unavailable, match="503"):
        put(open_thread, f"{MARKER}\none")
    assert len(forge.failures) == 9 - comments.ATTEMPTS


def test_a_token_without_the_right_is_not_tried_again(forge: Forge, open_thread: Open) -> None:
    forge.read_only = True
    with pytest.raises(Refused, match="403") as refused:
        put(open_thread, f"{MARKER}\none")
    assert TOKEN not in str(refused.value)
    assert sum(line.startswith("POST /api/v") and "graphql" not in line for line in forge.asked) == 1


def test_a_redirect_does_not_carry_the_token_away(forge: Forge, open_thread: Open) -> None:
    forge.failures = [(307, {"Location": f"{forge.address}/elsewhere"})] * comments.ATTEMPTS
    with pytest.raises(Unavailable, match="307"):
        put(open_thread, f"{MARKER}\none")
    assert not [line for line in forge.asked if "elsewhere" in line]


def test_nobody_listens(open_thread: Open, forge: Forge) -> None:
    forge.address = "http://127.0.0.1:9"
    with pytest.raises(Unavailable) as failed:
        put(open_thread, f"{MARKER}\none")
    assert TOKEN not in str(failed.value)


def test_without_an_answer_to_who_it_is_a_job_is_its_bot(forge: Forge) -> None:
    forge.graphql_works = False
    forge.write(f"{MARKER}\nold", BOT)
    thread = PullRequest.of(forge.environment, TOKEN, 7)
    assert upsert(thread, f"{MARKER}\nnew", needed=True, pause=0) == "updated"


def test_what_github_would_not_take_is_cut() -> None:
    trials = [{"policy": "p" * 70, "name": f"fail-`{n}`", "passed": False} for n in range(9)]
    tests = PolicyTests(1, {"tests": trials, "problems": []})
    short = telling.markdown(f"{MARKER}\nplan", tests, "")
    assert short.endswith(" and 4 more\n")
    assert "fail-?0?" in short
    assert "``" not in short
    whole = telling.markdown(f"{MARKER}\n{'x' * (LONGEST - 200)}", tests, "")
    assert len(whole) <= LONGEST
    assert whole.endswith("❌ **9 of 9 tests of policies failed**, see the job's log\n")


def test_a_change_of_rules_alone_tells_change() -> None:
    head, foot = "<!-- reconciler:plan -->\n### ", "\n\n- 26 rules, 26 passed\n"
    assert not tells_change(f"{head}✅ Nothing changes{foot}")
    assert not tells_change(f"{head}⚠️ Nothing changes{foot}")
    assert tells_change(f"{head}⚠️ 1 rule removed; no resource changes{foot}")
