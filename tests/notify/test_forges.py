"""Statuses and comments on GitHub, GitLab and Gitea: in the words of each, once, whoever writes at the same moment."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.adapters.git.repository import open_repository
from reconciler.errors import NeedsHuman, RetryLater, UsageError
from reconciler.model.receiver import Topic, parse_receivers
from reconciler.notify.addresses import commit_page, find_forge
from reconciler.notify.comment import MAX_BODY, HostRow, parse_rows, render_comment
from reconciler.notify.forges import MAX_LOOKS
from reconciler.notify.messages import Origin
from reconciler.notify.receivers import make_senders, trust_as_git
from reconciler.notify.senders import Rejected
from reconciler.notify.transitions import CommitInfo, Transition
from reconciler.values import replace
from tests.notify.test_messages import message
from tests.support.forges import BASES, TOKEN, Forge
from tests.support.gitrepo import GitRepo
from tests.support.receivers import receiving
from tests.support.standings import NOON

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.notify.outbox import Message
    from reconciler.notify.senders import Sender

A, B, C = "a" * 40, "b" * 40, "c" * 40
KINDS = ["github", "gitlab", "gitea"]
WORDS = {"github": ("success", "failure"), "gitlab": ("success", "failed"), "gitea": ("success", "failure")}


def live(*shas: str) -> Transition:
    commits = tuple(CommitInfo(sha, "Change", "Ann") for sha in shas)
    return Transition(topic=Topic.LIVE, at=NOON, commit=shas[0], live=shas[0], base=C, commits=commits)


REFUSED = Transition(
    topic=Topic.REFUSED, at=NOON, commit=B, live=A, reason="wrong-type", details=("u.yaml:3: `no` number",), omitted=1
)
HELD = Transition(topic=Topic.HELD, at=NOON, commit=B, live=A, message="suspended by ann: election")


@contextmanager
def forge(kind: str, host: str = "vps-1") -> Iterator[tuple[Forge, Sender]]:
    found = Forge(kind)
    with receiving(found.answer) as server:
        yield found, sender(kind, server.url, host)


def sender(kind: str, site: str, host: str) -> Sender:
    entry = {"kind": kind, "token": TOKEN, "dashboard": "http://desk-1:8642"}
    origin = Origin(host, "desk/config", "main", url=f"{site}/desk/config.git")
    (sends,) = make_senders(parse_receivers([entry], lambda *_: ""), origin)
    return sends


def send(sends: Sender, sent: Message) -> None:
    left: Message | None = sent
    for _ in range(50):
        assert left is not None
        left = sends.send(left)
        if left is None:
            return
    raise AssertionError("it is never done")


@pytest.mark.parametrize("kind", KINDS)
def test_each_commit_has_a_status_in_the_words_of_the_forge(kind: str) -> None:
    with forge(kind) as (found, sends):
        send(sends, message(live(A, C), REFUSED))
    context = "name" if kind == "gitlab" else "context"
    good, bad = WORDS[kind]
    told = {sha: (body["state"], body[context], body["description"]) for sha, body in found.statuses}
    assert told == {
        A: (good, "reconciler/vps-1", "live"),
        C: (good, "reconciler/vps-1", "live: with aaaaaaaa"),
        B: (bad, "reconciler/vps-1", "refused: u.yaml:3: `no` number, and 1 more"),
    }
    assert {body["target_url"] for _, body in found.statuses} == {"http://desk-1:8642"}
    assert found.bodies == {}


@pytest.mark.parametrize("kind", KINDS)
def test_hosts_share_one_comment_which_is_updated(kind: str) -> None:
    with forge(kind) as (found, sends):
        found.merged = {A, B}
        found.write("<!-- reconciler:hosts -->\n<!-- at  -->\nnot ours", "somebody")
        other = sender(kind, sends.origin.url.removesuffix("/desk/config.git"), "vps-2")
        send(sends, message(live(A)))
        send(other, message(live(A)))
        send(sends, message(REFUSED))
        send(sends, message(REFUSED))
    assert len(found.bodies) == 2
    _, body = found.bodies[1002]
    assert "### Live on 1 of 2 hosts, refused on 1 of 2 hosts" in body
    assert "| vps-2 | **live** | `aaaaaaaa` | 2026-11-23 12:00 UTC |" in body
    assert "**refused**" in body
    assert found.bodies[1001][1].endswith("not ours")


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_that_writes_at_the_same_moment_is_not_lost(kind: str) -> None:
    with forge(kind) as (found, sends):
        found.merged = {A}
        other = sender(kind, sends.origin.url.removesuffix("/desk/config.git"), "vps-2")
        theirs: list[Message | None] = []
        found.on_comment = lambda: theirs.append(other.send(message(live(A))))
        send(sends, message(live(A)))
        (left,) = theirs
        assert left is not None
        send(other, left)
    (body,) = [text for _, text in found.bodies.values()]
    assert set(parse_rows(body)) == {"vps-1", "vps-2"}


@pytest.mark.parametrize("answer", [{"data": None, "errors": [{"type": "RATE_LIMITED"}]}, {}, []])
def test_nothing_is_commented_until_it_is_known_as_whom(answer: Any) -> None:
    with forge("github") as (found, sends):
        found.merged = {A}
        found.failures["graphql"] = (200, answer)
        left = sends.send(message(live(A)))  # its status
        assert left is not None
        found.failures["graphql"] = (200, answer)
        with pytest.raises(RetryLater, match="whom the token writes as"):
            sends.send(left)
        assert found.bodies == {}
        send(sends, left)
    assert len(found.bodies) == 1


def test_a_comment_that_is_never_found_again_is_not_written_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Forge, "_comments", lambda *_: (200, []))
    with forge("gitlab") as (found, sends):
        found.merged = {A}
        send(sends, message(live(A)))
    assert len(found.bodies) == MAX_LOOKS


@pytest.mark.parametrize(
    ("kind", "answer"),
    [("github", (422, {"message": "No commit found"})), ("gitlab", (404, {"message": "404 Commit Not Found"}))],
)
def test_a_commit_that_the_forge_does_not_know_keeps_no_status_from_others(kind: str, answer: tuple[int, Any]) -> None:
    with forge(kind) as (found, sends):
        found.failures["status"] = answer
        left = sends.send(message(live(A, B, C)))
        assert left is not None
        assert {sha for sha, _ in found.statuses} == {B, C}
        found.failures["status"] = answer
        with pytest.raises(Rejected, match=r"(?i)commit"):
            sends.send(left)


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_to_another_branch_gets_no_comment(kind: str) -> None:
    with forge(kind) as (found, sends):
        found.merged, found.target = {A}, "release"
        send(sends, message(live(A)))
    assert (len(found.statuses), found.bodies) == (1, {})


@pytest.mark.parametrize("kind", KINDS)
def test_a_comment_that_is_gone_is_no_fault(kind: str) -> None:
    """One of two is deleted by somebody else, and then the other one."""
    gone = (404, {"message": "Not Found"})
    with forge(kind) as (found, sends):
        found.merged = {A}
        send(sends, message(live(A)))
        found.write(found.bodies[1001][1])
        found.failures |= {"delete": gone, "update": gone}
        send(sends, message(REFUSED, live(A)))
    assert "delete" in found.asked
    assert not found.failures


def test_gitea_may_not_know_a_commit() -> None:
    with forge("gitea") as (found, sends):
        found.failures["status"] = (404, {"message": "object does not exist"})
        left = sends.send(message(live(A, B)))
        assert left is not None
        assert {sha for sha, _ in found.statuses} == {B}
        found.failures |= {"status": (404, {}), "repository": (404, {})}
        with pytest.raises(NeedsHuman, match="404") as caught:
            sends.send(message(live(C)))
        assert not isinstance(caught.value, Rejected)


def test_what_is_done_is_not_done_again() -> None:
    with forge("github") as (found, sends):
        found.merged = {A, B, C}
        found.failures["request"] = (502, {})
        left = sends.send(message(live(A, B, C)))
        assert left is not None
        assert len(left.done) == 3
        found.failures["request"] = (502, {})
        with pytest.raises(RetryLater, match="502"):
            sends.send(left)
        send(sends, left)
    assert len(found.statuses) == 3


def test_the_last_word_about_a_commit_counts() -> None:
    with forge("gitea") as (found, sends):
        send(sends, message(HELD, live(B)))
    assert [(sha, body["state"]) for sha, body in found.statuses] == [(B, "success")]


def test_gitlab_may_refuse_the_state_that_a_status_has() -> None:
    with forge("gitlab") as (found, sends):
        found.failures["status"] = (400, {"message": "Cannot transition status via :enqueue from :pending"})
        send(sends, message(HELD))
        found.failures["status"] = (400, {"message": "name is too long"})
        left = sends.send(message(HELD))  # its comment is done all the same
        assert left is not None
        found.failures["status"] = (400, {"message": "name is too long"})
        with pytest.raises(Rejected, match="name is too long"):
            sends.send(left)


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_that_is_refused_appears_nowhere(kind: str) -> None:
    with forge(kind) as (found, sends):
        found.failures["status"] = (403, {"message": f"{TOKEN} may not do that"})
        with pytest.raises(NeedsHuman, match="403") as caught:
            sends.send(message(live(A)))
    assert TOKEN not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("kind", "url", "api", "page"),
    [
        (
            "github",
            "https://github.com/desk/config.git",
            "https://api.github.com",
            "https://github.com/desk/config/commit/",
        ),
        (
            "github",
            "git@github.com:desk/config.git",
            "https://api.github.com",
            "https://github.com/desk/config/commit/",
        ),
        (
            "github",
            "https://git.example/desk/config",
            "https://git.example/api/v3",
            "https://git.example/desk/config/commit/",
        ),
        (
            "github",
            "https://desk.ghe.com/desk/config",
            "https://api.desk.ghe.com",
            "https://desk.ghe.com/desk/config/commit/",
        ),
        (
            "gitlab",
            "ssh://git@git.example:2222/a/b/c.git",
            "https://git.example/api/v4",
            "https://git.example/a/b/c/-/commit/",
        ),
        (
            "gitea",
            "https://git.example:3000/a/b/",
            "https://git.example:3000/api/v1",
            "https://git.example:3000/a/b/commit/",
        ),
        ("gitea", "http://localhost:3000/a/b", "http://localhost:3000/api/v1", "http://localhost:3000/a/b/commit/"),
    ],
)
def test_the_address_of_the_repository_says_where_the_api_is(kind: str, url: str, api: str, page: str) -> None:
    (receiver,) = parse_receivers([{"kind": kind, "token": "t"}], lambda *_: "")
    assert find_forge(receiver, url).api == api
    assert commit_page(url, [receiver]) == page + "{sha}"


@pytest.mark.parametrize(
    "url", ["/srv/desk", "C:\\desk", "file:///srv/a/b", "https://git.example/", "", "http://x.example/a/b"]
)
def test_what_does_not_say_it_has_to_be_set(url: str) -> None:
    entry: dict[str, Any] = {"kind": "github", "token": "t"}
    (receiver,) = parse_receivers([entry], lambda *_: "")
    with pytest.raises(UsageError) as caught:
        find_forge(receiver, url)
    assert "notify" in caught.value.hint
    given = dataclasses.replace(receiver, url="https://git.example/api/v3", repository="desk/config")
    assert find_forge(given, url) == find_forge(given, "https://github.com/other/one")


def test_a_forge_is_trusted_as_git_trusts_it(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "config")
    repo.git("config", "http.https://git.example/.sslCAInfo", "/etc/desk/ca.pem")
    entries = [{"kind": "gitlab", "token": "t"}, {"kind": "webhook", "url": "https://git.example/x"}]
    told = parse_receivers([*entries, {"kind": "gitea", "token": "t", "ca_cert": "own.pem"}], lambda *_: "")
    with open_repository(repo.path) as source:
        found = trust_as_git(told, "git@git.example:desk/config", source.find_authorities)
        elsewhere = trust_as_git(told, "git@other.example:desk/config", source.find_authorities)
        nowhere = trust_as_git(told, "/srv/desk", source.find_authorities)
    assert [one.ca_cert for one in found] == ["/etc/desk/ca.pem", "", "own.pem"]
    assert [one.ca_cert for one in elsewhere] == [one.ca_cert for one in nowhere] == ["", "", "own.pem"]


def test_a_comment_is_bounded_and_says_nothing_that_others_obey() -> None:
    rows = {
        f"host-{number}": HostRow(f"host-{number}", "refused", A, "--> @everyone | <b>", "x" * 400)
        for number in range(300)
    }
    body = render_comment(rows, "", "host-99")
    assert len(body) <= MAX_BODY
    assert body.count("-->") == 3
    assert "@everyone" not in body.partition("<!-- rows")[0]
    assert parse_rows(body)["host-99"] == rows["host-99"]
    assert parse_rows("<!-- rows [7] -->") == parse_rows("") == parse_rows("<!-- rows [{}] -->") == {}
    one = {"a": HostRow("a", "live", A, "now", "--> <")}
    assert parse_rows(render_comment(one, "trading", "a")) == one
    assert render_comment({"a": replace(one["a"], note="")}, "", "a").splitlines()[2] == "### Live on one host"


def test_the_addresses_are_those_of_the_documents() -> None:
    assert BASES == {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1"}
