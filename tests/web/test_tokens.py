"""Who may read and who may operate, through the real server: every token in every place."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING

import pytest

from reconciler.model.grants import Role, make_grant
from reconciler.web.auth import Rate
from tests.support.daemons import running as running_daemon
from tests.support.gitrepo import GitRepo
from tests.web.harness import TOKEN, Site, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READING, OPERATING = "a-token-to-read-with", "a-token-to-operate-with"
GRANTS = (make_grant(READING, Role.READ), make_grant(OPERATING, Role.OPERATE))
TOKENS = {"none": None, "read": READING, "operate": OPERATING, "own": TOKEN, "wrong": "some-other-token", "empty": ""}
FROM = {"here": {}, "a proxy": {"X_Forwarded_For": "203.0.113.7"}, "elsewhere": {"Forwarded": "for=203.0.113.7"}}
READS = {"none": 200, "read": 200, "operate": 200, "own": 200, "wrong": 401, "empty": 401}
OPERATES = {"none": 401, "read": 403, "operate": 200, "own": 200, "wrong": 401, "empty": 401}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A server with a token of each role."""
    with running(grants=GRANTS) as found:
        yield found


def _given(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("place", FROM)
@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reads(site: Site, method: str, token: str, place: str) -> None:
    answer = site.ask(method, "/v1/status", **_given(TOKENS[token]), **FROM[place])
    wanted = READS[token] if place == "here" or token != "none" else 401
    assert answer.status == wanted
    assert ("www-authenticate" in answer.headers) == (wanted == 401)


@pytest.mark.parametrize("place", FROM)
@pytest.mark.parametrize("token", TOKENS)
def test_operations(site: Site, token: str, place: str) -> None:
    site.daemon.begin_anew()
    given = {"Content-Type": "application/json", **_given(TOKENS[token]), **FROM[place]}
    answer = site.ask("POST", "/v1/sync", b"{}", **given)
    assert answer.status == OPERATES[token]
    assert bool(site.daemon.asked) == (answer.status == 200)
    assert answer.status == 200 or answer.code == {401: "no-token", 403: "read-only-token"}[answer.status]


def test_of_two_roles_of_one_token_the_higher_counts() -> None:
    with running(grants=(make_grant(READING, Role.OPERATE), make_grant(READING, Role.READ))) as site:
        assert site.ask("POST", "/v1/sync", **_given(READING)).status == 200


def test_with_a_token_any_name_will_do(site: Site) -> None:
    for token in (READING, OPERATING, TOKEN):
        assert site.ask("GET", "/v1/status", Host="desk.example", **_given(token)).status == 200
    assert site.ask("GET", "/v1/status", Host="desk.example").code == "unknown-host"
    answer = site.ask("POST", "/v1/sync", Host="desk.example", Origin="https://evil.example", **_given(OPERATING))
    assert answer.code == "foreign-origin"


def test_tokens_cannot_be_guessed() -> None:
    with running(grants=GRANTS, failing=Rate(0.001, 10)) as site:
        for _ in range(10):
            assert site.ask("GET", "/v1/status", **_given("guess")).status == 401
        for token in ("guess", READING, OPERATING):
            answer = site.ask("GET", "/v1/status", **_given(token))
            assert (answer.status, answer.code) == (429, "too-many")
            assert 900 < int(answer.headers["retry-after"]) <= 1000
            assert site.ask("POST", "/v1/sync", **_given(token)).status == 429
        assert site.ask("GET", "/v1/status").status == 200, "this was no attempt"
        assert site.ask("POST", "/v1/sync").status == 401, "nor this"
        for _ in range(20):
            assert site.operate("/v1/sync").status == 200, "whoever has the daemon's own token guesses nothing"


@pytest.mark.slow
def test_a_daemon_lets_in_whom_its_settings_name(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "desk")
    repo.commit({"README.md": "nothing yet"})
    settings = {"HTTP_TOKENS": "read:env:DESK_TOKEN,operate:env:LEAD_TOKEN"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DESK_TOKEN", READING)
        patch.setenv("LEAD_TOKEN", OPERATING)
        with running_daemon(repo.path, tmp_path / "state", settings) as daemon:
            client = daemon.client()
            assert client.status()["daemon"]["pid"] == daemon.process.pid
            said = {token: _status(client.address, token) for token in (READING, OPERATING, "another-token")}
    assert said == {READING: (200, 403), OPERATING: (200, 200), "another-token": (401, 401)}
    assert READING not in daemon.log()


def _status(address: str, token: str) -> tuple[int, int]:
    """What a read and an operation are answered."""
    found = []
    for method, path, body in (("GET", "/v1/status", None), ("POST", "/v1/resume", json.dumps({"by": token}))):
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request(method, path, body, {**_given(token), "Content-Type": "application/json"})
        found.append(connection.getresponse().status)
        connection.close()
    return found[0], found[1]
