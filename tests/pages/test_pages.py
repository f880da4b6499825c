"""Every page and its twin over plain HTTP, from a real daemon with a past."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.report.escape import escape_line
from reconciler.web.pages import responses, templates
from tests.pages import world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.pages.world import Site

pytestmark = pytest.mark.slow

PAGES = (
    "/",
    "/resources",
    "/resources/user",
    "/resources/user/fx-majors-01",
    "/resources/account/op-demo",
    "/resources/note",
    "/search",
    "/versions",
    "/versions/main",
    "/drift",
    "/sessions",
    "/events",
    "/host",
)
SCRIPTS = ("/static/app.js", "/static/halt.js", "/static/rollback.js", "/static/search.js")
VOID = frozenset({"meta", "link", "img", "input", "br", "line", "rect", "circle", "path"})


class Markup(HTMLParser):
    """What a page consists of. Fails on tags that are not closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert len(found) == len(attrs), f"an attribute twice: {attrs}"
        self.tags.append((tag, found))
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found["href"] or ""] if tag == "a" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("desk")
    settings = {"HISTORY_URL": "chdb", "REDIS_URL": "embedded", "DRIFT_MODE": "report"}
    with world.site(world.desk(folder / "config"), folder / "state", **settings) as site:
        site.daemon.await_status(lambda said: said["live_view"] is not None and _is_recorded(said["history"]))
        yield site


def _is_recorded(history: dict[str, Any]) -> bool:
    return bool(history["recorded"] == 5 and not history["behind"] and not history["versions"])


def twin_of(page: str) -> str:
    return "/index.json" if page == "/" else f"{page}.json"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_made_from_what_its_twin_says(desk: Site, page: str) -> None:
    template = {
        "/": "overview",
        "/resources": "kinds",
        "/versions/main": "version",
        "/resources/user": "rows",
        "/resources/note": "rows",
    }.get(page, page.split("/")[1] if page.count("/") == 1 else "resource")
    for _ in range(20):  # until the daemon did nothing else meanwhile
        before, shown, after = desk.get(twin_of(page)), desk.get(page), desk.get(twin_of(page))
        assert (before.status, shown.status) == (200, 200), shown.text
        made = [quiet(templates.render_page(template, twin.json)) for twin in (before, after)]
        if made[0] == made[1]:
            break
    assert made == [quiet(shown.text)] * 2
    assert before.json["host"]["name"] == "vps-ldn-01"


def quiet(text: str) -> str:
    """A page without what is another moment, thread or size at each look."""
    text = re.sub(r"<time .*?</time>", "", text, flags=re.DOTALL)
    return re.sub(
        r'<section class="card" aria-labelledby="(?:threads|stores|disk)">.*?</section>', "", text, flags=re.DOTALL
    )


@pytest.mark.parametrize("page", [*PAGES, "/nothing/here", "/resources/nothing"])
def test_nothing_foreign_may_run_and_no_page_needs_to(desk: Site, page: str) -> None:
    shown = desk.get(page)
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in shown.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "script-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
    }
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["referrer-policy"] == "no-referrer"
    page_ = Markup(shown.text)
    assert len(page_.ids) == len(set(page_.ids)), "an id twice"
    for tag, attributes in page_.tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        address = attributes.get("src") or (attributes.get("href") if tag in {"a", "link"} else None)
        if tag in {"script", "style", "img"}:
            assert tag == "script"
            assert attributes.get("src", "").split("?")[0] in SCRIPTS
        if address:
            assert re.match(r"#|/(?!/)", address)


def test_links_lead_somewhere_wherever_one_begins(desk: Site) -> None:
    """A few of each sort of page; what leads to more of them is looked at, not followed."""
    waiting, seen, followed = ["/"], {"/", "/docs"}, Counter[str]()
    while waiting:
        here = waiting.pop(0)
        sort = re.sub(r"^(/resources/[a-z]+|/versions)/.*?(\.json)?(\?.*)?$", r"\1/\2", here)
        followed[sort] += 1
        if followed[sort] > (1 if ".json" in here else 2) and "page" not in here:
            continue
        reply = desk.get(here)
        assert reply.status == 200, (here, reply.text)
        if "html" not in reply.headers["content-type"]:
            continue
        fresh = {link.split("#")[0] or here for link in Markup(reply.text).links} - seen
        seen |= fresh
        waiting += fresh
    assert {f"/versions/{commit}" for commit in desk.repo.git("rev-list", "main").split()} <= seen
    assert "/resources/note/page%2Ejson" in seen


def test_the_first_screen_says_what_trades(desk: Site) -> None:
    trading = desk.get("/index.json").json["trading"]
    switches = {one["kind"]: (one["active"], one["rows"]) for one in trading["switches"]}
    assert switches == {"Account": (7, 8), "Instance": (4, 4), "Signal": (5, 5), "User": (5, 6)}
    (by_broker,) = (one for one in trading["groups"] if (one["kind"], one["role"]) == ("Account", "broker"))
    assert by_broker["of"] == "Broker"
    assert by_broker["resources"] == [
        {"name": "caldervale-eu", "rows": 3, "active": 3},
        {"name": "ostrin-prime", "rows": 3, "active": 2},
        {"name": "fernhill-funded", "rows": 2, "active": 2},
    ]
    (risk,) = trading["measures"]
    assert (risk["label"], risk["unit"], risk["value"]) == ("Total risk of open trades", "%", 10.4)
    assert "Total risk of open trades" in desk.get("/").text


def test_a_row_is_shown_as_it_was(desk: Site) -> None:
    row = "/resources/user/fx-majors-01"
    past = desk.get(f"{row}.json?at=main~2").json
    (changed,) = (field for field in past["fields"] if not field["same"])
    assert (changed["field"], changed["values"], changed["units"]) == (
        "risk_per_trade_percent",
        [0.6, 0.75],
        ["percent", "percent"],
    )
    commits = desk.repo.git("rev-list", "main").split()
    assert (past["previous"], past["next"]) == (commits[4], commits[0])
    assert [one["asked"] for one in past["moments"]] == ["main~2", "now"]
    assert desk.get(f"{row}.json?at=main~2&to=now").json["fields"] == past["fields"]
    both = desk.get(f"{row}.json?at=main~4&to=main~2").json
    assert [one["values"] for one in both["fields"] if not one["same"]] == [[0.75, 0.6]]
    absent = desk.get("/resources/note/long.json?at=main~4").json
    assert [one["present"] for one in absent["moments"]] == [False, True]
    assert "there was no such row" in desk.get("/resources/note/long?at=main~4").text
    refused = desk.get(f"{row}?at=no-such-branch")
    assert refused.status in {404, 422}
    assert "no-such-branch" in refused.text


@pytest.mark.parametrize("name", world.TEXTS)
def test_hostile_text_is_text(desk: Site, name: str) -> None:
    address = f"/resources/note/{name.replace('.json', '%2Ejson')}"
    for page in (address, "/resources/note", "/versions/main~3"):
        shown = desk.get(page)
        assert shown.status == 200
        assert "<script>window" not in shown.text
        assert "onerror=" not in re.sub(r"&lt;.*?&gt;", "", shown.text)
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in shown.text
    value = next(one for one in desk.get(f"{address}.json").json["fields"] if one["field"] == "text")
    assert value["live"] == value["declared"] == world.TEXTS[name]
    assert Markup(desk.get(address).text).words.count(escape_line(world.TEXTS[name])) >= 2


def test_a_long_text_does_not_fill_a_table(desk: Site) -> None:
    assert world.LONG not in desk.get("/resources/note").text
    assert world.LONG in desk.get("/resources/note/long").text


def test_the_overview_says_how_it_stands(desk: Site) -> None:
    said = desk.get("/index.json").json
    commits = desk.repo.git("rev-list", "main").split()
    assert [one["commit"] for one in said["recent"]] == commits
    assert [one["status"] for one in said["recent"]] == ["VALID", "INVALID", "VALID", "VALID", "VALID"]
    assert {"sync", "applied", "attempted", "history", "drift", "troubles"} <= said["status"].keys()
    days = said["activity"]["days"]
    assert [(one["commits"], one["invalid"]) for one in days] == [(1, 0), (1, 0), (1, 0), (1, 1), (1, 0)]
    assert [one["creates"] for one in days] == [28, 5, 0, 0, 0]
    words = Markup(desk.get("/").text).words
    assert "36 rows changed by 5 commits in 30 days" in " ".join(words.split())


def test_versions_are_found_by_message_author_and_sha(desk: Site) -> None:
    head = desk.repo.git("rev-parse", "main")
    by_sha = desk.get(f"/versions.json?grep={head[:9].upper()}").json["versions"]
    by_text = desk.get("/versions.json?grep=LET+GO").json["versions"]
    assert [one["commit"] for one in by_sha] == [one["commit"] for one in by_text] == [head]
    assert len(desk.get("/versions.json?grep=m%40example").json["versions"]) == 1
    nothing = " ".join(Markup(desk.get("/versions?grep=nothing-like-it").text).words.split())
    assert "No commit is like that. See all of them" in nothing


def test_a_row_stands_beside_what_git_says_with_blame_and_history(desk: Site) -> None:
    said = desk.get("/resources/user/fx-majors-01.json").json
    first, last = desk.repo.git("rev-list", "--max-parents=0", "main"), desk.repo.git("rev-parse", "main")
    assert all(one["same"] for one in said["fields"])
    assert said["blame"]["risk_per_trade_percent"]["commit"] == last
    assert said["blame"]["max_open_trades"]["commit"] == first
    assert [one["op"] for one in said["changes"]] == ["update", "update", "create"]
    assert (said["live"], said["declared"], said["removed"]) == (True, True, None)


def test_references_are_names_that_lead_somewhere(desk: Site) -> None:
    said = desk.get("/resources/account.json?q=caldervale").json
    columns = [one["name"] for one in said["columns"]]
    assert (columns[:2], {"user", "instance"} <= set(columns)) == (["status", "broker"], True)
    assert {row["name"]: row["names"] for row in said["rows"]}["cv-eurusd"] == {
        "broker": ["caldervale-eu"],
        "user": ["fx-majors-01"],
        "instance": ["cv-live-01"],
    }
    shown = Markup(desk.get("/resources/account?q=caldervale").text)
    assert {"/resources/broker/caldervale-eu", "/resources/user/fx-majors-01"} <= set(shown.links)
    one = Markup(desk.get("/resources/account/cv-eurusd").text)
    assert {"/resources/broker/caldervale-eu", "/resources/instance/cv-live-01"} <= set(one.links)
    broker = "d1790701-13b1-5152-8221-d99a70d7962e"
    assert broker not in shown.words
    fields = [field["field"] for field in desk.get("/resources/account/cv-eurusd.json").json["fields"]]
    assert (fields[0], fields[-1]) == ("status", "account_id")


def test_a_resource_says_what_uses_it(desk: Site) -> None:
    said = desk.get("/resources/user/fx-majors-01.json").json
    assert [(one["kind"], one["name"]) for one in said["uses"]] == [
        ("Account", "cv-eurusd"),
        ("Account", "cv-gbpusd"),
        ("Signal", "london-breakout"),
    ]
    assert "/resources/signal/london-breakout" in Markup(desk.get("/resources/user/fx-majors-01").text).links


def test_a_unit_is_that_of_the_row(desk: Site) -> None:
    for page in ("/resources/user", "/resources/user/fx-majors-01"):
        words = " ".join(Markup(desk.get(page).text).words.split())
        assert "lots or percent" not in words
        assert "2 percent" in words


def test_what_left_git_says_so(desk: Site) -> None:
    said = desk.get("/resources/account/op-demo.json").json
    assert (said["live"], said["declared"], said["removed"]["prune"]) == (True, False, "deactivate")
    words = " ".join(Markup(desk.get("/resources/account/op-demo").text).words.split())
    assert "left git" in words


def test_a_version_tells_its_changes_or_its_problems(desk: Site) -> None:
    valid, invalid = desk.get("/versions/main~2.json").json, desk.get("/versions/main~1.json").json
    assert [(one["name"], one["fields"]) for one in valid["changes"]] == [
        ("fx-majors-01", [{"field": "risk_per_trade_percent", "old": 0.75, "new": 0.6}])
    ]
    assert [one["code"] for one in invalid["version"]["problems"]] == ["out-of-range"]
    assert "The week has an election." in desk.get("/versions/main~2").text
    assert "An invalid commit changes no row." in desk.get("/versions/main~1").text


def names(reply: world.Reply) -> list[str]:
    return [row["name"] for row in reply.json["rows"]]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("user.json?q=MAJORS", ["fx-majors-01", "fx-majors-02"]),
        ("user.json?q=users/fx-majors-02", ["fx-majors-02"]),
        ("user.json?status=INACTIVE", ["retired-07"]),
        ("user.json?q=majors&status=INACTIVE", []),
        ("user.json?q=fx&trade_direction=BOTH&page=1", ["fx-majors-01", "fx-majors-02"]),
        ("user.json?q=fx&page=2", []),
        ("user.json?q=%27+OR+1%3D1", []),
        ("note.json?q=%27+or+1%3D1", ["injection"]),
        ("note.json?q=%3CSCRIPT%3E", ["script"]),
        ("note.json?q=%25", []),
        ("Users.json?q=majors-01", ["fx-majors-01"]),
    ],
)
def test_rows_are_found_by_what_is_in_them(desk: Site, asked: str, found: list[str]) -> None:
    assert names(desk.get(f"/resources/{asked}")) == found


@pytest.mark.parametrize(
    ("page", "status", "words"),
    [
        ("/resources/usr", 404, "did you mean user?"),
        ("/resources/user/fx-majors-99", 404, "there is no User fx-majors-99"),
        ("/versions/0123456789", 404, "0123456789"),
        ("/nothing", 404, "there is nothing at this address"),
        ("/resources/user?risk=1", 422, "there is no filter risk"),
        ("/resources/user?page=0", 422, "there is no page 0"),
        ("/resources/user?q=" + "x" * 501, 422, "longer than 500 characters"),
        ("/versions?since=yesterday", 422, "is no moment"),
        ("/versions?status=%3Cscript%3E", 422, "there is no status &lt;script&gt;"),
        ("/versions?limit=7", 422, "limit"),
        ("/events?before=x", 422, "before is no event&#39;s number"),
        ("/events?event=%3Cb%3E", 422, "there is no event &lt;b&gt; here"),
        ("/static/..%2Froutes.py", 404, "there is nothing"),
        ("/static/nothing.css", 404, "there is nothing"),
    ],
)
def test_an_error_has_the_same_dress(desk: Site, page: str, status: int, words: str) -> None:
    shown = desk.get(page)
    assert (shown.status, shown.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert words in shown.text
    assert "content-security-policy" in shown.headers
    Markup(shown.text)
    plain = desk.get(page, Accept="*/*")
    assert plain.status == status
    assert set(plain.json) == {"error"}


def test_programs_are_answered_in_json_whatever_they_accept(desk: Site) -> None:
    for address in ("/v1/nothing", "/v1/resources/nothing", "/resources/usr.json"):
        assert set(desk.get(address).json) == {"error"}


def test_whoever_may_not_read_learns_nothing_of_this_host(desk: Site) -> None:
    for page in (*PAGES, "/nothing"):
        shown = desk.get(page, X_Forwarded_For="203.0.113.7")
        assert shown.status == 401
        assert "vps-ldn-01" not in shown.text
        assert str(desk.repo.path) not in shown.text
    assert desk.get("/", Host="evil.example").status == 421


def test_other_sites_may_link_to_pages_and_nothing_else(desk: Site) -> None:
    clicked = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    for page in ("/", "/resources/user", "/versions", "/host"):
        assert desk.get(page, **clicked).status == 200
        for other in (
            {"Sec_Fetch_Dest": "iframe"},
            {"Sec_Fetch_Dest": "object"},
            {"Sec_Fetch_Mode": "no-cors"},
            {"Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"},
            {"Origin": "https://evil.example"},
        ):
            shown = desk.get(page, **clicked | other)
            assert (shown.status, "other sites" in shown.text, "vps-ldn-01" in shown.text) == (403, True, False)
            Markup(shown.text)
    for address in ("/index.json", "/resources/user.json", "/v1/status", "/v1/sql?query=SELECT+1", "/metrics"):
        shown = desk.get(address, **clicked)
        assert (shown.status, shown.json["error"]["code"]) == (403, "foreign-origin")


def test_what_did_not_change_is_not_sent_again(desk: Site) -> None:
    for page in ("/resources/user", "/resources/user/fx-majors-01", "/versions"):
        shown = desk.get(page)
        again = desk.get(page, If_None_Match=shown.headers["etag"])
        assert (again.status, again.text) == (304, "")
        assert again.headers["content-security-policy"] == responses.POLICY
        assert desk.get(page, If_None_Match='"other"').status == 200


def test_style_and_script_may_be_kept_for_as_long_as_they_are_the_same(desk: Site) -> None:
    found = re.findall(r'(?:href|src)="(/static/[^"]+)"', desk.get("/").text)
    assert sorted(one.split("?")[0] for one in found) == sorted(("/static/app.css", "/static/icon.svg", *SCRIPTS))
    for address in found:
        kept, other = desk.get(address), desk.get(address.split("?")[0])
        assert kept.headers["cache-control"] == "max-age=31536000, immutable"
        assert other.headers["cache-control"] == "no-cache"
        assert kept.text == other.text


def test_sessions_are_listed_by_the_names_of_their_owners(desk: Site) -> None:
    command = [sys.executable, "-m", "reconciler", "session", "create", "fx-majors-02", "--ip", "203.0.113.7"]
    place = ["--device", "laptop", "--repo", str(desk.repo.path), "--state", str(desk.daemon.state)]
    made = subprocess.run([*command, *place, "--format", "json"], capture_output=True, check=True, timeout=60)
    session = json.loads(made.stdout)
    for asked in ("", "?owner=fx-majors-02"):
        said = desk.get(f"/sessions.json{asked}").json
        assert [(one["name"], one["session_id"]) for one in said["sessions"]] == [
            ("fx-majors-02", session["session_id"])
        ]
        device = said["sessions"][0]["device"]
        assert session["device_fingerprint"].startswith(f"hmac-sha256:{device}")
        assert len(device) == 8
    words = desk.get("/sessions").text
    assert "203.0.113.7" in words
    assert "laptop" not in words
    assert ">hmac-sha256" not in words
    assert desk.get("/sessions.json?owner=nobody").json["sessions"] == []


def test_events_are_told_newest_first_and_a_page_at_a_time(desk: Site) -> None:
    said = desk.get("/events.json").json
    told = [one["number"] for one in said["events"]]
    assert told == sorted(told, reverse=True)
    assert {"bound", "applied"} <= {one["event"] for one in said["events"]}
    older = desk.get(f"/events.json?before={told[0]}").json
    assert [one["number"] for one in older["events"]] == told[1:]
    applied = desk.get("/events.json?event=applied").json["events"]
    assert {(one["event"], one["actor"]) for one in applied} == {("applied", "Ann Trader")}
    words = " ".join(Markup(desk.get("/events?event=applied").text).words.split())
    assert "Ann Trader made a commit that went live: " in words


def test_the_host_page_tells_everything_but_secrets(desk: Site) -> None:
    said: dict[str, Any] = desk.get("/host.json").json
    assert {"operations", "http", "shipping", "watcher"} <= {one["name"] for one in said["threads"]}
    sizes = {one["name"]: one["bytes"] for one in said["parts"]}
    assert sizes["state.duckdb"] == (desk.daemon.state / "state.duckdb").stat().st_size
    assert 0 < said["disk"]["free"] < said["disk"]["total"]
    token = json.loads((desk.daemon.state / "daemon.json").read_text(encoding="utf-8"))["token"]
    assert token not in json.dumps(said)
