"""Every page in a real browser: what it loads and complains of, whom it keeps out, and that it is live."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.pages import browsers, world
from tests.support.daemons import turn
from tests.support.patience import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page, Request, Route

    from tests.pages.world import Site

pytestmark = pytest.mark.slow

PAGES = (
    "/",
    "/resources",
    "/resources/user?q=fx",
    "/resources/note",
    "/search?q=fx",
    "/resources/user/fx-majors-01",
    "/resources/user/fx-majors-01?at=main~2",
    "/resources/note/script",
    "/resources/note/long",
    "/versions",
    "/versions/main~1",
    "/versions/main~3",
    "/drift",
    "/sessions",
    "/events",
    "/host",
)
ERRORS = ("/nothing", "/resources/nothing")
NARROW = {"width": 360, "height": 740}
WIDE = {"width": 1200, "height": 800}
REACHABLE = "a[href], button, input, select, summary, [tabindex='0']"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsers.launched() as found:
        yield found


@pytest.fixture(scope="module")
def desk(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("desk")
    settings = {"HISTORY_URL": "chdb", "REDIS_URL": "embedded", "DRIFT_MODE": "report"}
    with world.site(world.desk(folder / "config"), folder / "state", **settings) as site:
        yield site


class Faults:
    """What went wrong in a context: messages on the console, failed requests, requests to others."""

    def __init__(self, context: BrowserContext, site: Site) -> None:
        self.found: list[str] = []
        self._ours = urlsplit(site.address).netloc
        context.on("page", self._follow)
        context.on("request", lambda one: self._ask(one.url))
        context.on("requestfailed", self._fail)
        context.on("response", lambda one: self.found.append(f"{one.status} {one.url}") if one.status >= 400 else None)

    def _fail(self, request: Request) -> None:
        if "ERR_ABORTED" not in str(request.failure):  # what a page has begun ends with it
            self.found.append(f"failed: {request.url} {request.failure}")

    def _follow(self, page: Page) -> None:
        page.on("console", lambda one: self.found.append(f"console: {one.text}"))
        page.on("pageerror", lambda error: self.found.append(f"error: {error}"))

    def _ask(self, url: str) -> None:
        if urlsplit(url).netloc != self._ours:
            self.found.append(f"foreign: {url}")


@contextmanager
def opened(browser: Browser, site: Site, **options: object) -> Iterator[tuple[Page, Faults]]:
    """A page of a browser that knows nothing, closed at the end."""
    context = browser.new_context(base_url=site.address, **options)
    context.set_default_timeout(20_000)
    faults = Faults(context, site)
    page = context.new_page()
    try:
        yield page, faults
        page.goto("about:blank")  # what is under way ends with the page, not with the context
    finally:
        context.close()


@pytest.mark.parametrize(("scheme", "rules"), [("light", browsers.RULES), ("dark", browsers.COLOURS)])
def test_every_page_loads_without_a_complaint_and_for_everybody(
    browser: Browser, desk: Site, scheme: str, rules: dict[str, Any]
) -> None:
    with opened(browser, desk, color_scheme=scheme, viewport=WIDE) as (page, faults):
        for address in PAGES:
            page.goto(address)
            assert page.locator("h1").count() == 1
            assert faults.found == [], address
            assert browsers.violations(page, rules) == [], address
            assert page.evaluate("window.pwned") is None


def test_errors_are_for_everybody_too(browser: Browser, desk: Site) -> None:
    with opened(browser, desk, viewport=WIDE) as (page, _):
        for address in ERRORS:
            page.goto(address)
            assert browsers.violations(page) == [], address


def test_no_page_is_wider_than_a_telephone(browser: Browser, desk: Site) -> None:
    with opened(browser, desk, viewport=NARROW) as (page, _):
        for address in (*PAGES, *ERRORS):
            page.goto(address)
            assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], address


def test_hostile_text_is_shown_and_does_nothing(browser: Browser, desk: Site) -> None:
    with opened(browser, desk) as (page, faults):
        for name in ("script", "injection"):
            page.goto(f"/resources/note/{name}")
            assert page.get_by_text(world.TEXTS[name], exact=True).count() >= 2
        page.goto("/resources/note/backwards")
        assert page.get_by_text("\\u202elmay.exe", exact=True).count() >= 2
        page.goto(f"/versions/{desk.repo.git('log', '-1', '--format=%H', '--grep=^Add notes')}")
        assert page.locator("h1").inner_text() == f"Add notes {world.SCRIPT}"
        assert page.evaluate("window.pwned") is None
        assert faults.found == []


@pytest.mark.parametrize("address", ["/", "/resources/user"])
def test_the_keyboard_reaches_everything(browser: Browser, desk: Site, address: str) -> None:
    with opened(browser, desk, viewport=WIDE) as (page, _):
        page.route("**/app.js*", lambda route: route.abort())  # the page is to stay the same one
        page.goto(address)
        wanted = page.evaluate(
            "which => [...document.querySelectorAll(which)].filter(one => one.checkVisibility())"
            ".map((one, number) => (one.dataset.number = number))",
            REACHABLE,
        )
        reached = set()
        for step in range(len(wanted) + 5):
            page.keyboard.press("Tab")
            number, seen = page.evaluate(
                "() => { const one = document.activeElement, box = one.getBoundingClientRect();"
                "return [one.dataset.number, box.width > 0 && box.top >= -1 && box.bottom <= innerHeight + 1"
                " && (getComputedStyle(one).outlineStyle !== 'none')] }"
            )
            if number is not None:
                reached.add(int(number))
                assert seen, f"the focus cannot be seen on {number} of {address}"
            if step == 0:
                assert page.locator(":focus").inner_text() == "Skip to content"
        assert reached == set(wanted)


def test_without_javascript_all_of_it_is_there(browser: Browser, desk: Site) -> None:
    with opened(browser, desk, java_script_enabled=False) as (page, faults):
        page.goto("/resources/user")
        page.get_by_label("Search").fill("majors-02")
        page.get_by_role("button", name="Search").click()
        page.get_by_role("link", name="fx-majors-02").click()
        assert page.locator("h1").inner_text() == "fx-majors-02"
        page.get_by_role("link", name="Versions", exact=True).click()
        assert page.locator(".commits li").count() >= 5
        assert faults.found == []


def test_anything_is_found_from_the_keyboard(browser: Browser, desk: Site) -> None:
    with opened(browser, desk, viewport=WIDE) as (page, faults):
        page.goto("/versions")
        page.keyboard.press("Control+k")
        page.keyboard.type("MAJORS-0")
        option = page.get_by_role("option", name="fx-majors-02")
        option.wait_for()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        assert option.get_attribute("aria-selected") == "true"
        page.keyboard.press("Enter")
        page.wait_for_url("**/resources/user/fx-majors-02")
        page.keyboard.press("Control+k")
        page.keyboard.type("3.34")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search?q=3.34")
        assert "margin_requirement" in page.locator(".hits").first.inner_text()
        page.keyboard.press("Control+k")
        page.keyboard.type("<img src=x onerror=window.pwned=2>")
        page.get_by_role("option", name="script").wait_for()
        page.keyboard.press("Escape")
        assert page.get_by_role("option").count() == 0
        assert page.evaluate("window.pwned") is None
        held: list[Route] = []
        page.route("**/search.json*", lambda route: held.append(route))  # noqa: PLW0108  Playwright sets attributes
        with page.expect_request("**/search.json?q=majors"):
            page.locator("#find input").fill("majors")
        page.keyboard.press("Tab")
        with page.expect_response("**/search.json?q=majors"):
            held[-1].continue_()
        page.wait_for_timeout(200)
        assert page.get_by_role("option").count() == 0
        assert faults.found == []


def test_a_list_is_sorted_by_its_headings_and_times_are_of_a_zone(browser: Browser, desk: Site) -> None:
    with opened(browser, desk, viewport=WIDE, timezone_id="Europe/Berlin") as (page, faults):
        page.goto("/resources/account")
        for first in ("cv-eurusd", "op-eurusd"):  # the second click turns it around
            page.get_by_role("link", name="leverage").click()
            page.locator("tbody th a").first.get_by_text(first).wait_for()
        page.goto("/versions")
        assert page.locator("time .zone").first.inner_text().endswith(" Berlin")
        page.get_by_label("Time beside UTC").select_option("Asia/Tokyo")
        page.goto("/events")
        assert page.locator("time .zone").first.inner_text().endswith(" Tokyo")
        assert faults.found == []


def test_a_commit_appears_without_a_reload_and_disturbs_nobody(browser: Browser, desk: Site) -> None:
    with opened(browser, desk, viewport=WIDE) as (page, faults):
        with page.expect_response("**/v1/watch"):
            page.goto("/versions")
        page.evaluate("window.before = true")
        page.get_by_label("Author").fill("half a wor")
        page.evaluate(
            "() => { window.heard = []; const said = document.getElementById('live');"
            "new MutationObserver(() => heard.push(said.textContent)).observe(said, {childList: true}) }"
        )
        sha = world.risk(desk.repo, "0.55", "Cut it while somebody looks")
        page.get_by_role("link", name="Cut it while somebody looks").wait_for()
        page.locator(f"#standing a[href='/versions/{sha}']").wait_for()
        assert page.evaluate("window.before") is True
        assert page.get_by_label("Author").input_value() == "half a wor"
        assert page.evaluate("document.activeElement.name") == "author"
        # Not wait_for_function: where its first look finds nothing, the pages' policy forbids how it looks again.
        until(lambda: page.evaluate("heard.some((one) => one.includes('UTC: a commit went live'))"))
        assert faults.found == []


def test_what_is_open_and_has_the_focus_stays_so(browser: Browser, desk: Site) -> None:
    with opened(browser, desk, viewport={"width": 1200, "height": 400}) as (page, _):
        page.goto("/")
        page.locator("#chart-table summary").click()
        link = page.get_by_role("link", name="All versions")
        link.focus()
        place = page.evaluate("scrollY")
        sha = world.risk(desk.repo, "0.65", "Cut it a little more")
        page.locator(f"#standing a[href='/versions/{sha}']").wait_for()
        page.get_by_role("link", name="Cut it a little more").wait_for()
        assert page.locator("#chart-table").evaluate("one => one.open")
        assert page.evaluate("document.activeElement.getAttribute('href')") == "/versions"
        assert page.evaluate("scrollY") == pytest.approx(place, abs=120)


def test_a_host_that_is_away_is_said_to_be(browser: Browser, desk: Site) -> None:
    with opened(browser, desk) as (page, _):
        page.goto("/")
        banner = page.locator("#unreachable")
        assert banner.is_hidden()
        page.context.set_offline(True)
        banner.wait_for()
        assert "cannot be reached since" in banner.inner_text()
        page.context.set_offline(False)
        banner.wait_for(state="hidden")
        assert "answers again" in page.locator("#live").inner_text()


@pytest.mark.parametrize("script", [True, False])
def test_a_trader_finds_what_an_account_may_do(browser: Browser, desk: Site, script: bool) -> None:
    with opened(browser, desk, viewport=WIDE, java_script_enabled=script) as (page, faults):
        page.goto("/")
        page.get_by_role("link", name="Account", exact=True).first.click()
        page.get_by_role("main").get_by_label("Search").fill("caldervale")
        page.get_by_role("main").get_by_role("button", name="Search").click()
        row = page.locator("tr", has=page.get_by_role("rowheader", name="cv-eurusd"))
        assert "ACTIVE" in row.inner_text()
        assert script is False or browsers.violations(page) == []
        row.get_by_role("link", name="fx-majors-01").click()  # whose limits apply
        risk = page.locator("tr", has=page.get_by_role("rowheader", name="risk_per_trade_percent")).first
        assert "percent" in risk.inner_text()
        page.locator("section", has=page.get_by_role("heading", name="Used by")).get_by_role(
            "link", name="cv-gbpusd"
        ).click()
        assert page.locator("h1").inner_text() == "cv-gbpusd"
        assert faults.found == []


@pytest.mark.parametrize("script", [True, False])
def test_a_reviewer_sees_what_was_wrong_and_what_mended_it(browser: Browser, desk: Site, script: bool) -> None:
    with opened(browser, desk, viewport=NARROW, java_script_enabled=script) as (page, faults):
        page.goto("/")
        page.locator("#activity ~ figure a.day").first.click()  # the day on which all began
        page.get_by_role("link", name="Bring the desk's configuration under review").wait_for()
        page.get_by_role("link", name="Clear").click()
        page.get_by_role("main").get_by_label("Search").fill("far too MUCH")
        page.get_by_role("main").get_by_role("button", name="Search").click()
        assert script is False or browsers.violations(page) == []
        page.get_by_role("link", name="Raise the risk far too much").click()
        problems = page.locator("section", has=page.get_by_role("heading", name="Problems"))
        assert "users/fx-majors-01.yaml" in problems.inner_text()
        assert page.get_by_text("An invalid commit changes no row.").is_visible()
        mended = desk.repo.git("log", "-1", "--format=%h", "--grep=^Mend the risk")
        page.goto(f"/versions?grep={mended}")
        page.get_by_role("link", name="Mend the risk").click()
        assert "op-demo" in page.get_by_role("main").inner_text()
        assert faults.found == []


def test_an_auditor_learns_who_set_a_value_and_what_made_it_live(browser: Browser, desk: Site) -> None:
    with opened(browser, desk, viewport=WIDE, java_script_enabled=False) as (page, faults):
        page.goto("/resources/user/fx-majors-01")
        limit = page.locator("tr", has=page.get_by_role("rowheader", name="max_open_trades")).first
        limit.get_by_role("link", name="Ann Trader").click()
        assert page.locator("h1").inner_text() == "Bring the desk's configuration under review"
        page.goto("/events")
        page.locator("select[name=event]").select_option("applied")
        page.get_by_role("button", name="Show").click()
        told = page.locator("#events > .timeline > li")
        assert all("Ann Trader made a commit that went live" in one for one in told.all_inner_texts())
        told.first.get_by_text("Details").click()
        assert '"how"' in told.first.locator("pre").inner_text()
        assert faults.found == []


def test_an_operator_sees_drift_and_that_it_was_healed(browser: Browser, desk: Site) -> None:
    with opened(browser, desk, viewport={"width": 390, "height": 800}) as (page, faults):
        with turn(desk.daemon.state) as store:
            store.execute("UPDATE user_config SET lot_size_value = 3 WHERE lot_size_value = 2")
        page.goto("/resources/user")
        row = page.locator("tr.differs", has=page.get_by_role("rowheader", name="fx-majors-01"))
        assert "drifted" in row.inner_text()
        assert browsers.violations(page) == []
        row.get_by_role("link", name="fx-majors-01").click()
        apart = page.locator("tr.differs").get_by_role("cell")
        assert [one.bounding_box()["x"] < 390 for one in apart.all()][:2] == [True, True]
        assert [one.split()[0] for one in apart.all_inner_texts()[:2]] == ["2", "3"]
        assert browsers.violations(page) == []
        desk.operate("/v1/heal", {"by": "tests"})
        page.goto("/drift")
        lately = page.locator("section", has=page.get_by_role("heading", name="Lately")).locator("li").first
        assert "healed drift: 1 row" in lately.inner_text()
        assert browsers.violations(page) == []
        assert faults.found == []
