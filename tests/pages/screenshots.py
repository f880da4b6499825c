"""The pictures of docs/dashboard.md, taken anew: `python -m tests.pages.screenshots`.

The example desk with a month of work on it, in a daemon of its own.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tests.docs.markdown import ROOT
from tests.pages import browsers, world
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PICTURES = ROOT / "docs" / "images"
SHOTS = {
    "overview": ("/", "light", 1100, 720),
    "overview-dark": ("/", "dark", 1100, 720),
    "resource": ("/resources/user/fx-majors-01", "light", 1100, 760),
    "version": ("/versions/main~1", "dark", 1100, 600),
    "narrow": ("/", "light", 360, 720),
}
"""Page, colours, width and height of each picture."""
PEOPLE = (
    ("Maren Holt", "maren@desk.example"),
    ("Tomás Ferreira", "tomas@desk.example"),
    ("Ines Okafor", "ines@desk.example"),
)
RISK = re.compile(r"(risk_per_trade_percent: )[\d.]+")
SEED = 4


def month(path: Path) -> GitRepo:
    """The example, and what a desk does in a month: a few changes on most days, one mistake, and its repair."""
    repo, chance, now = GitRepo.create(path), random.Random(SEED), datetime.now(UTC).replace(microsecond=0)
    files = world.example()
    users = sorted(name for name in files if name.startswith(("users/fx", "users/prop")))
    repo.commit(files, "Bring the desk's configuration under review", when=now - timedelta(days=27), author=PEOPLE[0])
    for day in sorted(chance.sample(range(2, 26), 17), reverse=True):
        for hour in range(chance.randint(1, 3)):
            name, value = chance.choice(users), chance.choice(("0.5", "0.55", "0.6", "0.65", "0.7"))
            files[name] = RISK.sub(rf"\g<1>{value}", files[name])
            message = f"Set the risk of {Path(name).stem} to {value}"
            when = now - timedelta(days=day, hours=hour, minutes=chance.randrange(50))
            repo.commit({name: files[name]}, message, when=when, author=chance.choice(PEOPLE))
    account = files["accounts/cv-eurusd.yaml"]
    wrong = {"accounts/cv-eurusd.yaml": account.replace("leverage: 30", "leverage: 1:30")}
    repo.commit(wrong, "Write leverage as the broker does", when=now - timedelta(hours=3), author=PEOPLE[1])
    repo.commit(
        {"accounts/cv-eurusd.yaml": account},
        "Write leverage as a number",
        when=now - timedelta(hours=2),
        author=PEOPLE[1],
    )
    return repo


def take(browser: Browser, address: str, name: str) -> Path:
    """One picture."""
    page, scheme, width, height = SHOTS[name]
    context = browser.new_context(base_url=address, color_scheme=scheme, viewport={"width": width, "height": height})
    shown = context.new_page()
    shown.goto(page)
    shown.wait_for_timeout(1_500)
    file = PICTURES / f"{name}.png"
    shown.screenshot(path=file)
    context.close()
    return file


def main() -> None:
    """All of them."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, browsers.launched() as browser:
        repo = month(Path(folder) / "desk")
        with world.site(repo, Path(folder) / "state", HISTORY_URL="chdb", REDIS_URL="embedded") as site:
            site.daemon.await_status(lambda said: said["history"]["versions"] == 0 and said["live_view"] is not None)
            for name in SHOTS:
                file = take(browser, site.address, name)
                sys.stdout.write(f"{file.relative_to(ROOT)} {file.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
