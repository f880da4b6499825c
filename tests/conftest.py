"""Fences and options for every test: no network but loopback, no home folder, no real clock, no outside settings."""

from __future__ import annotations

import gc
import itertools
import os
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.machine import SystemClock
from tests.support import world
from tests.support.laws import load_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

if sys.dont_write_bytecode and sys.prefix != sys.base_prefix:
    # Where nothing may be written beside the sources, every worker and program of every run would compile all anew
    sys.dont_write_bytecode, sys.pycache_prefix = False, f"{sys.prefix}/pycache"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix

load_profile()
gc.disable()  # until all is collected: what collecting makes stays

GOLDEN = Path(__file__).parent / "golden"
DAWN = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
"""The first moment of a test's clock; it goes on by a second each time it is asked."""


HOMES = itertools.count()
"""Numbers for home folders: pytest's own way to number folders looks at all there are."""


@dataclass
class Ticks:
    """The clock of a test: each time it is asked, a second has passed."""

    passed: int = 0

    def now(self) -> datetime:
        """The moment."""
        self.passed += 1
        return DAWN + timedelta(seconds=self.passed - 1)


MARKS = {
    "slow": "whole daemons, browsers and servers, killed, cut off and flooded; `make slow`, and CI",
    "soak": "takes minutes, or more of the same; `make soak`",
}


def pytest_configure(config: pytest.Config) -> None:
    """The marks of tests that `make test` leaves out, to come to an end within minutes."""
    for mark, meaning in MARKS.items():
        config.addinivalue_line("markers", f"{mark}: {meaning}")


SLOW_FILE = re.compile(r"^pytestmark = .*\bpytest\.mark\.(?:slow|soak)\b", re.MULTILINE)
"""A module of which `make test` runs nothing. It is not even imported: some need half a second for that."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave modules out of which nothing would be run."""
    if not config.option.markexpr and collection_path.suffix == ".py" and _is_whole(config):
        return bool(SLOW_FILE.search(collection_path.read_text(encoding="utf-8"))) or None
    return None


def _is_whole(config: pytest.Config) -> bool:
    """Whether all tests are asked for, none by its name."""
    return all(Path(argument).resolve() in {config.rootpath, config.rootpath / "tests"} for argument in config.args)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave them out, unless somebody asks for marks, or names tests: then only what takes minutes."""
    if config.option.markexpr:
        return
    out = set(MARKS) if _is_whole(config) else {"soak"}
    left = [item for item in items if any(item.get_closest_marker(mark) for mark in out)]
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=left)


def pytest_collection_finish() -> None:
    """Take what collecting left out of the garbage collector's sight: it would go through it again and again.

    It then looks seldom: by itself it takes a sixth of the time of tests that decode and validate.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    gc.enable()


def pytest_unconfigure() -> None:
    """Libraries count at the end what is left of theirs."""
    gc.unfreeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` rewrites golden files instead of comparing with them."""
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files")


@pytest.fixture
def ticks() -> Ticks:
    """This test's clock."""
    return Ticks()


@pytest.fixture(autouse=True)
def fences(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, ticks: Ticks) -> None:
    """Keep this machine out of the test."""
    home = tmp_path_factory.getbasetemp() / f"home{next(HOMES)}"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith(("RECONCILER_", "GIT_", "XDG_"))]:
        monkeypatch.delenv(name)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("RECONCILER_PUBLISH_PATH", "none")  # a twentieth of a second for each `sync`
    monkeypatch.setattr(SystemClock, "now", lambda self: ticks.now())


@pytest.fixture
def one_engine() -> Iterator[None]:
    """All commands of a worker judge with one policy engine: starting it takes longer than most of them."""
    with world.one_engine():
        yield


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the golden file of that name, or write it with `--update-golden`."""

    def compare(name: str, text: str) -> None:
        file = GOLDEN / name
        if request.config.getoption("--update-golden"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
        assert text == file.read_text(encoding="utf-8"), f"differs from {name}; `pytest --update-golden` rewrites it"

    return compare
