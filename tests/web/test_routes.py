"""The routes over the real server: what they answer, who may ask, and the one body of all errors."""

from __future__ import annotations

import logging
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import BugError, NeedsHuman, ReconcilerError, RetryLater, UsageError
from reconciler.model.host import ConditionSeverity, HostCondition
from reconciler.service.context import Heartbeat
from reconciler.values import replace
from reconciler.web.api import QUERY_THREADS, SLOW_THREADS
from reconciler.web.auth import Authority, Rate, is_local, parse_authority
from reconciler.web.pages.routes import PAGE_THREADS
from tests.support.patience import DEADLINE, until
from tests.web.harness import TOKEN, Daemon, Site, reply, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.web.app import ServedHost

OPERATIONS = ("/v1/sync", "/v1/verify", "/v1/suspend", "/v1/resume")
READS = {"/v1/status": "Host.status", "/v1/drift": "Rows.drift"}


@pytest.fixture(scope="module")
def lasting() -> Iterator[Site]:
    """One for all tests of this file: to begin and to end takes it a fifth of a second."""
    with running() as found:
        yield found


@pytest.fixture
def site(lasting: Site) -> Site:
    """The same, with a daemon that was asked nothing."""
    lasting.daemon.begin_anew()
    return lasting


def test_health_is_the_threads_signs_of_life(site: Site) -> None:
    answer = site.ask("GET", "/healthz")
    assert (answer.status, answer.json) == (200, {"healthy": True, "threads": {"operations": "Idle"}})
    site.daemon.beats = [Heartbeat("operations", "Fetching", 75.0, 60.0), Heartbeat("shipping", "Idle", 1.0, 60.0)]
    answer = site.ask("GET", "/healthz")
    assert (answer.status, answer.code) == (503, "stuck")
    assert "operations (Fetching) has given no sign of life for 75 s" in answer.json["error"]["message"]
    assert "shipping" not in answer.json["error"]["message"]


class SlowHistory(Daemon):
    """Queries, plans, questions to the history and pages do not return before `hung` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.hung = threading.Event()

    @property
    def served(self) -> ServedHost:
        """Pages that ask the history."""
        return replace(super().served, pages=SimpleNamespace(heading=dict, versions=self._page))

    def answer(self, name: str) -> Mapping[str, Any]:
        """A live row and the status at once."""
        if name.startswith("Sql.") or name in {"Plans.ahead", "History.diff"}:
            assert self.hung.wait(DEADLINE)
        if name == "Sql.export":
            raise RetryLater("nobody waits for the file any more")
        return super().answer(name)

    def _page(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        self.asked.append(("Pages.versions", {}))
        assert self.hung.wait(DEADLINE)
        return {}


SHORT = ("/v1/status", "/v1/resources/user", "/v1/resources/user/x", "/v1/kinds", "/healthz", "/readyz")
LONG = (
    "/v1/sql?query=SELECT+1",
    "/v1/export",
    "/v1/export/user",
    "/v1/plan",
    "/v1/diff?base=a&head=b",
    "/versions.json",
)


def test_nothing_short_waits_behind_what_takes_long() -> None:
    daemon = SlowHistory()
    with running(daemon) as site:
        connections = [(site.connect(), path) for path in LONG for _ in range(12)]
        try:
            for connection, path in connections:
                connection.request("GET", path)
            until(lambda: len(daemon.asked) >= QUERY_THREADS + SLOW_THREADS + PAGE_THREADS)
            for path in SHORT:
                assert site.ask("GET", path).status == 200, path
        finally:
            daemon.hung.set()
            for connection, _ in connections:
                connection.close()


def test_rows_of_once_are_asked_where_questions_to_the_history_are() -> None:
    daemon = Daemon()
    daemon.gate.clear()
    with running(daemon) as site:
        connections = [site.connect() for _ in range(12)]
        try:
            for connection in connections:
                connection.request("GET", "/v1/resources/user?at=2026-11-23")
            until(lambda: len(daemon.asked) >= SLOW_THREADS)
            asking = site.connect()
            asking.request("GET", "/v1/status")
            until(lambda: ("Host.status", {}) in daemon.asked)
        finally:
            daemon.gate.set()
            for connection in connections:
                connection.close()
        assert reply(asking).status == 200
        asking.close()


@pytest.mark.slow
def test_a_stuck_daemon_still_says_that_it_is_stuck() -> None:
    """Calls that do not return take all threads for calls; what says so needs none of them."""
    daemon = Daemon(beats=[Heartbeat("operations", "Reconciling", 99.0, 60.0)])
    daemon.gate.clear()
    with running(daemon, read=0.2) as site:
        statuses = [site.ask("GET", "/v1/status") for _ in range(6)]
        assert {(one.status, one.code) for one in statuses} == {(504, "retry-later")}
        assert site.ask("GET", "/healthz").code == "stuck"
        assert site.ask("GET", "/readyz").status == 200
        daemon.gate.set()


def test_ready_is_after_the_first_reconcile(site: Site) -> None:
    assert site.ask("GET", "/readyz").json == {"ready": True}
    site.daemon.is_ready = False
    answer = site.ask("GET", "/readyz")
    assert (answer.status, answer.code) == (503, "not-ready")


def test_ready_is_not_while_a_human_has_to_help(site: Site) -> None:
    gone = ("Reconciling", ConditionSeverity.STALLED, "BranchGone", "the branch main is gone", "push it again")
    site.daemon.hold = HostCondition(*gone, since=datetime.now(UTC))
    answer = site.ask("GET", "/readyz")
    assert (answer.status, answer.code) == (503, "not-ready")
    assert answer.json["error"]["message"] == "BranchGone: the branch main is gone"


def test_reads_are_what_the_daemon_says(site: Site) -> None:
    for path, method in READS.items():
        answer = site.ask("GET", path)
        assert (answer.status, answer.json["asked"]) == (200, method)
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["content-type"] == "application/json"
        assert "server" not in answer.headers
    assert site.ask("HEAD", "/v1/status").status == 200


def test_what_operates_is_kept_by_nobody(site: Site) -> None:
    for answer in (site.operate("/v1/sync"), site.ask("GET", "/healthz"), site.ask("GET", "/v1/nothing")):
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers


def test_operations_are_passed_on(site: Site) -> None:
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    assert site.operate("/v1/sync", {"approve": "2e527c27", "by": "maren", "force": True}).status == 200
    assert site.operate("/v1/sync").status == 200
    assert site.operate("/v1/sync", {"approve": None, "by": None}).status == 200
    assert site.operate("/v1/verify", {"by": "maren"}).status == 200
    assert site.operate("/v1/suspend", {"reason": "NFP", "by": "maren", "until": later.isoformat()}).status == 200
    assert site.operate("/v1/suspend", {"reason": " NFP "}).status == 200
    assert site.operate("/v1/resume", {"by": "maren"}).status == 200
    nobody = "somebody with the daemon's token"
    assert site.daemon.asked == [
        ("HostControl.sync", {"by": "maren", "approve": "2e527c27", "force": True, "rejudge": False}),
        ("HostControl.sync", {"by": nobody, "force": False, "rejudge": False}),
        ("HostControl.sync", {"by": nobody, "force": False, "rejudge": False}),
        ("HostControl.verify", {"by": "maren"}),
        ("HostControl.suspend", {"by": "maren", "reason": "NFP", "until": later.isoformat()}),
        ("HostControl.suspend", {"by": nobody, "reason": " NFP "}),
        ("HostControl.resume", {"by": "maren"}),
    ]


def test_sync_answers_when_this_request_was_handled() -> None:
    with running(Daemon(hold_futures=True)) as site:
        answers = []
        asking = threading.Thread(target=lambda: answers.append(site.operate("/v1/sync", {"by": "maren"})))
        asking.start()
        time.sleep(0.2)
        assert not answers
        site.daemon.futures[0].set_result({"head": "2e527c27"})
        asking.join(DEADLINE)
        assert (answers[0].status, answers[0].json) == (200, {"head": "2e527c27"})


def test_a_sync_that_takes_too_long_is_not_cancelled() -> None:
    with running(Daemon(hold_futures=True), operation=0.2) as site:
        answer = site.operate("/v1/sync")
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (504, "retry-later", "5")
        assert site.daemon.futures[0].set_running_or_notify_cancel(), "it was cancelled"
        site.daemon.futures[0].set_result({})
    assert not answer.json["error"]["message"].endswith(".")


def test_a_sync_that_the_daemon_drops_says_that_it_is_stopping() -> None:
    with running(Daemon(hold_futures=True)) as site:
        answers = []
        asking = threading.Thread(target=lambda: answers.append(site.operate("/v1/sync")))
        asking.start()
        time.sleep(0.2)
        assert site.daemon.futures[0].cancel()
        asking.join(DEADLINE)
        assert (answers[0].status, answers[0].code) == (503, "stopping")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RetryLater("git is away", hint="wait"), 503, "retry-later"),
        (UsageError("no commit 12", hint="look"), 422, "usage"),
        (NeedsHuman("it is suspended", hint="resume"), 409, "needs-human"),
        (BugError("a law is broken", hint="report"), 500, "bug"),
        (ReconcilerError("it did not work", hint="hm"), 500, "failed"),
    ],
)
@pytest.mark.parametrize("path", [*OPERATIONS, *READS])
def test_errors_of_the_daemon_keep_message_and_hint(
    site: Site, error: ReconcilerError, status: int, code: str, path: str
) -> None:
    site.daemon.error = error
    answer = site.ask("GET", path) if path in READS else site.operate(path, _least(path))
    assert (answer.status, answer.code) == (status, code)
    assert (answer.json["error"]["message"], answer.json["error"]["hint"]) == (str(error), error.hint)


def _least(path: str) -> dict[str, str]:
    return {"reason": "NFP"} if path == "/v1/suspend" else {}


@pytest.mark.parametrize("path", ["/v1/status", "/v1/sync"])
def test_a_bug_is_in_the_log_and_not_in_the_answer(path: str, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.daemon.error = KeyError("clickhouse://me:hunter2@db")
    answer = site.ask("GET", path) if path == "/v1/status" else site.operate(path)
    assert (answer.status, answer.code) == (500, "bug")
    assert "hunter2" not in str(answer.json)
    assert "KeyError" not in str(answer.json)
    assert [record.exc_info is not None for record in caplog.records] == [True]
    assert site.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize(
    ("path", "body", "kind", "status", "code"),
    [
        ("/v1/sync", b"{", "application/json", 400, "not-json"),
        ("/v1/sync", b"[" * 10_000, "application/json", 400, "not-json"),
        ("/v1/sync", b"\xff", "application/json", 400, "not-json"),
        ("/v1/sync", b"[]", "application/json", 422, "usage"),
        ("/v1/sync", b'{"aprove":"a"}', "application/json", 422, "usage"),
        ("/v1/sync", b'{"approve":1}', "application/json", 422, "usage"),
        ("/v1/sync", b'{"force":1}', "application/json", 422, "usage"),
        ("/v1/sync", b'{"by":"a\\nb"}', "application/json", 422, "usage"),
        ("/v1/sync", b'{"by":"' + b"x" * 501 + b'"}', "application/json", 422, "usage"),
        ("/v1/sync", b'{"by":"\\ud800"}', "application/json", 422, "usage"),
        ("/v1/sync", b"{}", "text/plain", 415, "not-json"),
        ("/v1/sync", b"{}", "", 415, "not-json"),
        ("/v1/sync", b" " * 20_000, "application/json", 413, "too-large"),
        ("/v1/suspend", b"{}", "application/json", 422, "usage"),
        ("/v1/suspend", b'{"reason":"  "}', "application/json", 422, "usage"),
        ("/v1/suspend", b'{"reason":"x","until":"noon"}', "application/json", 422, "usage"),
        ("/v1/suspend", b'{"reason":"x","until":"2020-01-01T00:00Z"}', "application/json", 422, "usage"),
        ("/v1/suspend", b'{"reason":"x","until":"2099-01-01T00:00"}', "application/json", 422, "usage"),
    ],
)
def test_a_body_that_makes_no_sense_is_told_so(
    site: Site, path: str, body: bytes, kind: str, status: int, code: str
) -> None:
    answer = site.ask("POST", path, body, Authorization=f"Bearer {TOKEN}", Content_Type=kind)
    assert (answer.status, answer.code) == (status, code)
    assert not site.daemon.asked


def test_a_misspelt_field_is_told_the_right_ones(site: Site) -> None:
    error = site.operate("/v1/sync", {"aprove": "2e527c27"}).json["error"]
    assert (error["message"], error["hint"]) == ("there is no field aprove", "did you mean approve?")
    told = site.operate("/v1/sync", {"xyz": "2e527c27"}).json["error"]["hint"]
    assert told == "there are: approve, by, force, rejudge, branch"


def test_addresses_and_methods_that_do_not_exist(site: Site) -> None:
    assert site.ask("GET", "/v2/status").code == "not-found"
    assert site.ask("GET", "/v1/status/").code == "not-found", "no redirect to a name that the client chose"
    answer = site.operate("/v1/status")
    assert (answer.status, answer.code, answer.headers["allow"]) == (405, "method-not-allowed", "GET, HEAD")
    assert site.ask("GET", "/v1/sync").code == "method-not-allowed"


@pytest.mark.parametrize("path", OPERATIONS)
@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN[:-1]}", "Bearer é"],
)
def test_operations_need_the_token(site: Site, path: str, authorization: str | None) -> None:
    given = {} if authorization is None else {"Authorization": authorization.encode("latin-1").decode("latin-1")}
    answer = site.ask("POST", path, b"{}", Content_Type="application/json", **given)
    assert (answer.status, answer.code, answer.headers["www-authenticate"]) == (401, "no-token", "Bearer")
    assert not site.daemon.asked


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8642", "127.0.0.1.evil.example", "localhost.evil", "", "[::2]", "2130706433"]
)
def test_a_rebound_name_gets_nowhere(site: Site, host: str) -> None:
    for method, path in (("GET", "/v1/status"), ("POST", "/v1/sync")):
        answer = site.ask(method, path, Host=host)
        assert (answer.status, answer.code) == (421, "unknown-host")
        answer = site.ask(method, path, Host=host, Authorization="Bearer wrong")
        assert (answer.status, answer.code) == (421, "unknown-host")
    assert site.ask("GET", "/healthz", Host=host).status == 200, "a probe may call it as it likes"
    assert not site.daemon.asked


def test_the_names_of_this_server_are_known() -> None:
    with running(hosts=frozenset({"desk.example"})) as site:
        for host in ("localhost", "LOCALHOST:80", "127.0.0.1:1", "[::1]:8642", "desk.example", "desk.example.:443"):
            assert site.ask("GET", "/v1/status", Host=host).status == 200, host


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [
        ("localhost", "localhost", None),
        ("LocalHost.:8642", "localhost", 8642),
        ("127.0.0.1:1", "127.0.0.1", 1),
        ("[::1]:65535", "::1", 65535),
        ("[0:0:0:0:0:0:0:1]", "::1", None),
        ("my_desk-1.example", "my_desk-1.example", None),
    ],
)
def test_a_host_is_a_name_and_a_port(host: str, name: str, port: int | None) -> None:
    assert parse_authority(host) == Authority(name, port)


NO_HOSTS = """
[::1]evil [::1]evil:80 [::1].evil.example [::1]:80:80 [::1]: [::1]:x [::1 ::1] [] [[::1]] [::1%lo] [127.0.0.1] ::1
[localhost] [:::1] [::1]@evil [::1]/ localhost:80:80 localhost: localhost:x localhost:-1 localhost:+80 localhost:0
localhost:65536 localhost:000080 localhost:\u0661 :80 127.0.0.1@evil 127.0.0.1:80@evil evil@127.0.0.1 user:pw@localhost
localhost/ localhost/evil localhost#evil localhost?evil localhost\\evil http://localhost localhost\u00e9 <localhost>
::1:80
""".split()  # noqa: SIM905  a list would take forty lines


@pytest.mark.parametrize("host", [*NO_HOSTS, "localhost evil", "localhost, evil", "localhost:80 ", "localhost\n"])
def test_what_is_no_host_is_not_cut_to_one(host: str) -> None:
    assert parse_authority(host) is None


def test_whoever_calls_by_no_host_gets_nowhere(site: Site) -> None:
    for host in ("[::1]evil", "localhost:80:80", "127.0.0.1@evil", "localhost:", "[::1", "localhost:x"):
        for given in ({}, {"Authorization": f"Bearer {TOKEN}"}):
            assert site.ask("GET", "/v1/status", Host=host, **given).code == "unknown-host", host
    assert not site.daemon.asked


PAGE = {"Accept": "text/html", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
"""A link that somebody clicks."""
READ_ADDRESSES = (
    "/v1/status",
    "/v1/sql?query=SELECT+1",
    "/v1/resources/user",
    "/metrics",
    "/openapi.json",
    "/host.json",
)
FOREIGN: tuple[dict[str, str], ...] = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://localhost:3000"},
    {"Origin": "http://{host}.evil.example"},
    {"Origin": "http://{host}@evil.example"},
    {"Origin": "{host}"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Sec_Fetch_Site": "Cross-Site"},
    {"Sec_Fetch_Site": "another-word"},
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"},
    {"Sec_Fetch_Site": "cross-site", **PAGE},
    {"Sec_Fetch_Site": "same-site", **PAGE},
)


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_page_of_another_site_may_not_read(site: Site, headers: dict[str, str]) -> None:
    given = {name: value.replace("{host}", str(site.server.address)) for name, value in headers.items()}
    for path in READ_ADDRESSES:
        answer = site.ask("GET", path, **given)
        assert (answer.status, answer.code) == (403, "foreign-origin"), path
    assert site.ask("HEAD", "/v1/status", **given).status == 403
    assert site.ask("GET", "/v1/status", Authorization=f"Bearer {TOKEN}", **given).code == "foreign-origin"
    assert site.operate("/v1/sql", {"query": "SELECT 1"}, **given).code == "foreign-origin"
    assert site.ask("GET", "/healthz", **given).status == 200, "a probe says nothing worth hiding"
    assert not site.daemon.asked


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none", **PAGE},
        {"Sec_Fetch_Site": "same-origin", "Origin": "http://{host}"},
        {"Origin": "HTTP://{host}"},
        {"Origin": "https://localhost", "Host": "localhost:443"},
        {"Origin": "http://[::1]:80", "Host": "[::1]"},
    ],
)
def test_a_page_of_this_site_may_read(site: Site, headers: dict[str, str]) -> None:
    given = {name: value.replace("{host}", str(site.server.address)) for name, value in headers.items()}
    assert site.ask("GET", "/v1/status", **given).status == 200


def test_what_other_pages_ask_uses_up_nobodys_share() -> None:
    with running(reading=Rate(0.001, 2)) as site:
        for _ in range(5):
            assert site.ask("GET", "/v1/status", Sec_Fetch_Site="cross-site").status == 403
        assert site.ask("GET", "/v1/status").status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000", "http://127.0.0.1", ""])
def test_a_page_of_another_site_may_not_operate(site: Site, origin: str) -> None:
    answer = site.operate("/v1/sync", {}, Origin=origin)
    assert (answer.status, answer.code) == (403, "foreign-origin")
    assert not site.daemon.asked


def test_a_page_of_this_site_may(site: Site) -> None:
    assert site.operate("/v1/sync", {}, Origin=f"http://{site.server.address}").status == 200


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP"])
def test_what_a_proxy_passes_on_is_not_of_this_host(site: Site, header: str) -> None:
    assert site.ask("GET", "/v1/status", **{header: "127.0.0.1"}).code == "no-token"
    assert site.ask("GET", "/v1/status", **{header: "x", "Authorization": f"Bearer {TOKEN}"}).status == 200


@pytest.mark.parametrize(
    ("client", "local"),
    [
        *((one, True) for one in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1")),
        *((one, False) for one in ("10.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0", None)),
    ],
)
def test_local_is_loopback(client: str | None, local: bool) -> None:
    assert is_local({}, client) == local


def test_what_is_not_http_gets_the_same_body(site: Site) -> None:
    for noise in (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", site.server.address.port), timeout=DEADLINE) as opened:
            opened.sendall(noise)
            answer = b"".join(iter(lambda: opened.recv(65_536), b""))
        assert b"400" in answer.splitlines()[0]
        assert b'{"error": {"code": "not-http"' in answer


def test_one_connection_may_ask_many_times(site: Site) -> None:
    connection = site.connect()
    opened = set()
    for _ in range(20):
        connection.request("GET", "/v1/status")
        assert reply(connection).status == 200
        opened.add(connection.sock)
    assert len(opened) == 1
    connection.close()


def test_nothing_is_said_of_ordinary_requests(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        site.ask("GET", "/v1/status")
        site.operate("/v1/sync")
        site.ask("GET", "/nothing")
    assert not [record for record in caplog.records if record.levelno >= logging.INFO]
