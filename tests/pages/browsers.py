"""Debian's chromium, driven by Playwright. Without one, tests are skipped, or fail where REQUIRE_BROWSER_TESTS=1."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
REQUIRED = "REQUIRE_BROWSER_TESTS"
SERIOUS = frozenset({"serious", "critical"})
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""What another colour scheme can break."""


def executable() -> str:
    """Where chromium is; a skip, or a failure, when there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        said = "there is no browser: install chromium (apt-get install chromium)"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(said)
        pytest.skip(said)
    return found


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser without a window."""
    place = executable()
    flags = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=place, args=flags)
        try:
            yield browser
        finally:
            browser.close()


def violations(page: Page, rules: dict[str, Any] = RULES) -> list[dict[str, Any]]:
    """What axe-core finds on a page that is serious."""
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("options => axe.run(document, options)", rules)
    return [
        {
            "rule": one["id"],
            "at": [node["html"][:200] for node in one["nodes"]],
            "why": one["nodes"][0]["failureSummary"],
        }
        for one in found["violations"]
        if one["impact"] in SERIOUS
    ]
