"""The buttons that act, in a real browser: halting and going back, and what the pages say while that stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pages import browsers, world
from tests.support.patience import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.pages.world import Site

pytestmark = pytest.mark.slow

NARROW, WIDE = {"width": 360, "height": 740}, {"width": 1200, "height": 900}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsers.launched() as found:
        yield found


@pytest.fixture
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("desk")
    with world.site(world.desk(folder / "config"), folder / "state", HISTORY_URL="duckdb", REDIS_URL="none") as site:
        yield site


def opened(browser: Browser, desk: Site, place: str, viewport: dict[str, int] = WIDE) -> Page:
    page = browser.new_context(base_url=desk.address, viewport=viewport).new_page()
    page.goto(place)
    return page


def press(page: Page, form: str, token: str, **given: str) -> str:
    """Fill a form in and send it; what it says then."""
    if not page.locator(f"{form} [name=reason]").is_visible():
        page.locator(f"details:has({form}) > summary").click()
    for name, text in {"token": token, **given}.items():
        page.fill(f"{form} [name={name}]", text)
    page.check(f"{form} [name=confirm]")
    page.click(f"{form} button[type=submit]")
    said = page.locator(f"{form} output")
    until(lambda: (said.text_content() or "…") != "…")
    return said.text_content() or ""


def status_of(desk: Site, name: str) -> str:
    [row] = desk.daemon.client().rows("user", name)["rows"]
    return str(row["values"]["status"])


def is_sound(page: Page) -> bool:
    """Whether nobody is kept out, and nothing is wider than the window."""
    wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    return not wide and browsers.violations(page) == []


def test_the_button_halts_and_pages_say_so_until_a_release(browser: Browser, desk: Site) -> None:
    token = desk.daemon.client().token
    page = opened(browser, desk, "/")
    halted = {"kind": "user", "names": "fx-majors-01", "reason": "the feed is wrong"}
    assert "Halted" not in press(page, "#halt-form", "not-a-token", **halted)
    assert status_of(desk, "fx-majors-01") == "ACTIVE"
    assert press(page, "#halt-form", token, **halted).startswith("Halted User fx-majors-01: 1 User")
    assert status_of(desk, "fx-majors-01") == "INACTIVE"
    page.wait_for_selector("section[aria-labelledby=halted] >> text=the feed is wrong")
    desk.operate("/v1/suspend", {"reason": "election night", "by": "ines"})
    world.risk(desk.repo, "0.55")
    head = desk.repo.git("rev-parse", "HEAD").strip()
    desk.daemon.await_status(lambda said: said["head"] == head)
    for viewport in (WIDE, NARROW):
        shown = opened(browser, desk, "/", viewport)
        assert shown.locator("section[aria-labelledby=suspended] >> text=stays INACTIVE until release").count() == 1
        assert is_sound(shown)
        row = opened(browser, desk, "/resources/user/fx-majors-01", viewport)
        assert row.locator("text=whatever git says").count() == 1
        assert is_sound(row)
    desk.operate("/v1/release", {"all": True, "reason": "it is well", "by": "ines"})
    page.wait_for_selector("section[aria-labelledby=halted]", state="detached")
    assert status_of(desk, "fx-majors-01") == "ACTIVE"


def test_the_button_goes_back_and_the_page_says_why_the_head_is_held(browser: Browser, desk: Site) -> None:
    commit = world.risk(desk.repo, "0.55")
    desk.daemon.await_status(lambda said: said["applied"]["commit"] == commit)
    page = opened(browser, desk, "/host")
    press(page, "#rollback-form", desk.daemon.client().token, reason="it trades too large")
    desk.daemon.await_status(lambda said: said["rolled_back"] and said["rolled_back"]["skipped"] == commit)
    for viewport in (WIDE, NARROW):
        shown = opened(browser, desk, "/", viewport)
        shown.wait_for_selector("section[aria-labelledby=rolled-back] >> text=which the rollback skipped")
        assert is_sound(shown)
    desk.operate("/v1/rollback/end", {"reason": "it was meant", "by": "ines"})
    desk.daemon.await_status(lambda said: said["applied"]["commit"] == commit)
    assert desk.daemon.status()["rolled_back"] is None
