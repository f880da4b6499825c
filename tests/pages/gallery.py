"""Pictures of every page, to look at: `python -m tests.pages.gallery FOLDER [PAGE…]`.

Two hosts with all that happens to one: the busy one heals drift, keeps a history and sessions, and its head was
refused; the held one is suspended while commits wait, reports drift, and has neither history nor Redis.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tests.pages import browsers, world
from tests.pages.screenshots import month
from tests.pages.world import INJECTION
from tests.support.configs import document
from tests.support.daemons import turn, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.pages.world import Site
    from tests.support.gitrepo import GitRepo

BUSY = {
    "overview": "/",
    "resources": "/resources",
    "users": "/resources/user",
    "accounts": "/resources/account",
    "signals": "/resources/signal",
    "instances": "/resources/instance",
    "brokers": "/resources/broker",
    "notes": "/resources/note",
    "search": "/resources/account?q=caldervale",
    "found": "/search?q=cv",
    "no-match": "/resources/account?q=nothing-like-it",
    "user": "/resources/user/fx-majors-01",
    "account": "/resources/account/cv-eurusd",
    "tombstone": "/resources/account/op-demo",
    "broker": "/resources/broker/caldervale-eu",
    "signal": "/resources/signal/london-breakout",
    "note": "/resources/note/long",
    "versions": "/versions",
    "no-version": "/versions?author=nobody",
    "version": "/versions/main~2",
    "refused": "/versions/main",
    "invalid": "/versions/main~4",
    "first": "/versions/main~5",
    "drift": "/drift",
    "sessions": "/sessions",
    "events": "/events",
    "host": "/host",
    "error": "/resources/user/nobody",
}
HELD = {
    "held-overview": "/",
    "held-users": "/resources/user",
    "held-user": "/resources/user/fx-majors-01",
    "held-notes": "/resources/note",
    "held-extra": "/resources/note/00000000-0000-4000-8000-000000000001",
    "held-account": "/resources/account/cv-eurusd",
    "held-versions": "/versions",
    "held-drift": "/drift",
    "held-sessions": "/sessions",
    "held-events": "/events",
}
SIZES = {"wide": 1440, "narrow": 390}
LONGEST = "a-name-as-long-as-a-name-can-be-for-the-account-of-the-desk-00"


def life(path: Path) -> GitRepo:
    """A month of work, texts of all sorts, a resource that left, and two commits that were not let through."""
    repo, now = month(path), datetime.now(UTC).replace(microsecond=0)
    notes = {f"notes/{name}.yaml": document("Note", name, {"text": text}) for name, text in world.TEXTS.items()}
    account = world.example()["accounts/cv-eurusd.yaml"]
    longest = account.replace("cv-eurusd", LONGEST).replace("d7df3d7e-89aa-53ee", "d7df3d7e-89aa-53ef")
    files = {"schemas/note.schema.json": world.note_schema(), **notes, f"accounts/{LONGEST}.yaml": longest}
    repo.commit(files, f"Add notes {INJECTION}", when=now - timedelta(minutes=55), author=world.HOSTILE_AUTHOR)
    message = "Let go of the demo account\n\nNobody has traded it since the summer."
    repo.commit({"accounts/op-demo.yaml": None}, message, when=now - timedelta(minutes=50))
    return repo


def held(repo: GitRepo) -> None:
    """Commits that wait."""
    world.risk(repo, "0.8", "Raise the risk of the main book a little")
    text = world.example()["users/fx-majors-02.yaml"]
    repo.commit({"users/fx-majors-02.yaml": text.replace("max_open_trades: ", "max_open_trades: 1")}, "Allow more")


def refused(repo: GitRepo) -> None:
    """A commit that breaks a rule, at the head."""
    world.risk(repo, "6.5", "Raise the risk far too much")


def sign_in(site: Site) -> None:
    """Sessions of several users on several devices."""
    for number, (user, device) in enumerate(
        (("fx-majors-02", "laptop"), ("fx-majors-01", "laptop"), ("fx-majors-01", "phone"), ("gold-swing-01", "vps"))
    ):
        owner = site.get(f"/resources/user/{user}.json").json["id"]
        told = {"user_id": owner, "ip_address": f"203.0.113.{7 + number}", "device_fingerprint": device}
        site.operate("/v1/sessions", told)


def tamper(site: Site) -> None:
    """Write to the live rows as another program might."""
    with turn(site.daemon.state) as store:
        store.execute("UPDATE user_config SET lot_size_value = 3, max_open_trades = 9 WHERE lot_size_value = 2")
        store.execute("UPDATE account_config SET status = 'INACTIVE' WHERE currency_pair = 'EURUSD'")
        store.execute("INSERT INTO note_config VALUES ('00000000-0000-4000-8000-000000000001', '<b>', now(), now())")


def take(browser: Browser, site: Site, pages: dict[str, str], folder: Path) -> None:
    """The pictures of one host."""
    for scheme in ("light", "dark"):
        for size, width in SIZES.items():
            view = {"width": width, "height": 900}
            context = browser.new_context(base_url=site.address, color_scheme=scheme, viewport=view)
            page = context.new_page()
            for name, address in pages.items():
                page.goto(address)
                page.screenshot(path=folder / f"{name}-{size}-{scheme}.png", full_page=True)
            context.close()


def main() -> None:
    """All of them."""
    target, wanted = Path(sys.argv[1]), sys.argv[2:]
    target.mkdir(parents=True, exist_ok=True)
    busy, quiet = (
        {name: page for name, page in pages.items() if not wanted or name in wanted} for pages in (BUSY, HELD)
    )
    with tempfile.TemporaryDirectory() as folder, browsers.launched() as browser:
        place = Path(folder)
        if busy:
            repo = life(place / "desk")
            with world.site(repo, place / "state", HISTORY_URL="chdb", REDIS_URL="embedded") as site:
                site.daemon.await_status(
                    lambda said: said["history"]["versions"] == 0 and said["live_view"] is not None
                )
                tamper(site)
                sign_in(site)
                refused(repo)
                site.daemon.await_status(lambda said: said["refused"] is not None and bool(said["drift"]["healed"]))
                take(browser, site, busy, target)
        if quiet:
            repo = life(place / "held")
            with world.site(repo, place / "other", DRIFT_MODE="report") as site:
                site.daemon.await_live(repo.git("rev-parse", "main"))
                site.operate("/v1/suspend", {"reason": "the broker migrates EURUSD tonight"})
                held(repo)
                tamper(site)
                until(lambda: site.get("/drift.json").json["summary"] != {})
                site.daemon.await_status(lambda said: said["head"] == repo.git("rev-parse", "main"))
                take(browser, site, quiet, target)


if __name__ == "__main__":
    main()
