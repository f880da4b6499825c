"""Who may read and who may operate, through the real server: every token in every place."""

from __future__ import annotations

import base64
import http.client
import json
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.main import run
from reconciler.model.grants import Role, make_grant
from reconciler.service.endpoint import Role as Needs
from reconciler.service.endpoints import ENDPOINTS
from reconciler.service.remote import DaemonClient
from reconciler.web.auth import Rate
from tests.support.daemons import running as running_daemon
from tests.support.gitrepo import GitRepo
from tests.support.patience import DEADLINE
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


@pytest.fixture(scope="module")
def closed() -> Iterator[Site]:
    """A server whose reads on this host need a token."""
    with running(grants=GRANTS, local_reads=False) as found:
        yield found


ADDRESSES = tuple(
    (endpoint.method, endpoint.path.format_map(dict.fromkeys(endpoint.path_names, "user")))
    for endpoint in ENDPOINTS
    if endpoint.role is Needs.READ
) + tuple(("GET", path) for path in ("/", "/index.json", "/versions", "/static/style.css", "/nothing"))


def test_where_others_log_in_no_read_goes_without_a_token(closed: Site) -> None:
    closed.daemon.begin_anew()
    for method, path in ADDRESSES:
        assert closed.ask(method, path).code == "no-token", path
        assert closed.ask("HEAD", path).status == 401, path
    assert not closed.daemon.asked
    for path in ("/healthz", "/readyz"):
        assert closed.ask("GET", path).status == 200, path
    for token in (READING, OPERATING, TOKEN):
        assert closed.ask("GET", "/v1/status", **_given(token)).status == 200
    assert DaemonClient(str(closed.server.address.local), TOKEN).request("GET", "/v1/status", None, DEADLINE)


def _typed(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"maren:{password}".encode()).decode()}


def test_a_browser_asks_for_the_token(closed: Site) -> None:
    connection = closed.connect()
    connection.request("GET", "/versions", headers={"Accept": "text/html"})
    response = connection.getresponse()
    assert (response.status, response.headers["www-authenticate"]) == (401, 'Basic realm="reconciler", charset="UTF-8"')
    assert b"enter a token as the password" in response.read()
    connection.close()
    for token in (READING, OPERATING, TOKEN):
        assert closed.ask("GET", "/v1/status", **_typed(token)).status == 200
        assert closed.ask("POST", "/v1/sync", b"{}", **_typed(token)).code == "read-only-token", (
            "a browser sends it unasked"
        )
        told = closed.ask("GET", "/v1/status", Sec_Fetch_Site="cross-site", **_typed(token))
        assert told.code == "foreign-origin"
    for wrong in (
        *map(_typed, ("", "some-other-token", "\xe9")),
        *({"Authorization": f"Basic {text}"} for text in NO_BASE64),
    ):
        assert closed.ask("GET", "/v1/status", **wrong).status == 401, wrong


NO_BASE64 = ("", "é", "====", TOKEN, "/w==", "OnRv a2Vu")
"""No Base64, no UTF-8 in it, or no colon."""


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
def test_commands_find_the_token_of_a_daemon_whose_reads_need_one(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "desk")
    repo.commit({"README.md": "nothing yet"})
    with running_daemon(repo.path, tmp_path / "state", {"HTTP_LOCAL_READS": "token"}) as daemon:
        client = daemon.client()
        assert client.status()["daemon"]["pid"] == daemon.process.pid
        assert _status(client.address, "another-token") == (401, 401)
        for command in (("status",), ("get", "user"), ("sql", "SELECT 1"), ("drift",)):
            assert run([*command, "--repo", str(repo.path), "--state", str(tmp_path / "state")]) == 0, command


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
