"""Changes of real files, as the operating system tells them, and without its help."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters import watchtree
from reconciler.adapters.watchtree import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:Callback with id .* already exists for watch:RuntimeWarning")
"""watchdog says so when it meets a new folder twice, and goes on; as an error it would end its thread."""

PATIENCE = 20.0
ADD_WATCH = "watchdog.observers.inotify_c.InotifyFD.add_callback"


def is_yaml(path: str) -> bool:
    return path.endswith(".yaml")


def write(root: Path, *paths: str, text: str = "a") -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def until(watcher: Watcher, wanted: set[str]) -> set[str]:
    """All that changes until what is wanted has; whoever waits in vain sees what there was."""
    seen: set[str] = set()
    deadline = time.monotonic() + PATIENCE
    while not seen >= wanted and time.monotonic() < deadline:
        seen |= watcher.wait(1.0)
    return seen


def limited(*_: object) -> None:
    """What inotify does when too many folders are watched already."""
    raise OSError(28, "inotify watch limit reached")


@pytest.fixture(params=["told", "sought"])
def watcher(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    """A watcher of a folder with some files, with events or without."""
    write(tmp_path, "a.yaml", "deep/b.yaml", "deep/er/c.yaml", "notes.txt", ".git/x.yaml", "deep/.venv/x.yaml")
    if request.param == "sought":
        monkeypatch.setattr(ADD_WATCH, limited)
        monkeypatch.setattr(watchtree, "SCAN_PAUSE_WITHOUT_EVENTS", 0.05)
    else:
        monkeypatch.setattr(watchtree, "SCAN_PAUSE", 3600.0)
    with Watcher(tmp_path, "", is_yaml) as started:
        assert bool(started.trouble) == (request.param == "sought")
        yield started


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
class TestChanges:
    """Each way in which files change."""

    def change(self, watcher: Watcher, root: Path, act: Callable[[Path], object], *expected: str) -> None:
        act(root)
        assert until(watcher, set(expected)) == set(expected)

    def test_a_file_is_written(self, watcher: Watcher, tmp_path: Path) -> None:
        self.change(watcher, tmp_path, lambda root: write(root, "a.yaml", text="bb"), "a.yaml")

    def test_a_file_is_replaced_as_editors_do(self, watcher: Watcher, tmp_path: Path) -> None:
        def replace(root: Path) -> None:
            write(root, "deep/.b.yaml.swp~", text="bb")
            (root / "deep/.b.yaml.swp~").replace(root / "deep/b.yaml")

        self.change(watcher, tmp_path, replace, "deep/b.yaml")

    def test_a_file_moves(self, watcher: Watcher, tmp_path: Path) -> None:
        self.change(
            watcher, tmp_path, lambda root: (root / "a.yaml").rename(root / "deep/z.yaml"), "a.yaml", "deep/z.yaml"
        )

    def test_a_file_goes(self, watcher: Watcher, tmp_path: Path) -> None:
        self.change(watcher, tmp_path, lambda root: (root / "a.yaml").unlink(), "a.yaml")

    def test_files_come_in_new_folders(self, watcher: Watcher, tmp_path: Path) -> None:
        self.change(watcher, tmp_path, lambda root: write(root, "x/y/z.yaml", "x/w.yaml"), "x/y/z.yaml", "x/w.yaml")

    def test_a_folder_is_renamed_and_written_to(self, watcher: Watcher, tmp_path: Path) -> None:
        moved = ("deep/b.yaml", "deep/er/c.yaml", "wide/b.yaml", "wide/er/c.yaml")
        self.change(watcher, tmp_path, lambda root: (root / "deep").rename(root / "wide"), *moved)
        self.change(watcher, tmp_path, lambda root: write(root, "wide/er/d.yaml"), "wide/er/d.yaml")

    def test_a_folder_hides(self, watcher: Watcher, tmp_path: Path) -> None:
        gone = ("deep/b.yaml", "deep/er/c.yaml")
        self.change(watcher, tmp_path, lambda root: (root / "deep").rename(root / ".deep"), *gone)

    def test_a_folder_with_the_name_of_a_file(self, watcher: Watcher, tmp_path: Path) -> None:
        self.change(watcher, tmp_path, lambda root: write(root, "f.yaml/g.yaml"), "f.yaml/g.yaml")

    def test_what_does_not_count_is_no_change(self, watcher: Watcher, tmp_path: Path) -> None:
        write(tmp_path, ".git/x.yaml", "deep/.venv/x.yaml", "notes.txt", ".hidden/new.yaml", text="bb")
        (tmp_path / "a.yaml").read_text(encoding="utf-8")
        assert watcher.wait(0.6) == frozenset()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_changes_that_nobody_tells_of_are_found_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.yaml")
    monkeypatch.setattr(watchtree, "SCAN_PAUSE", 0.2)
    monkeypatch.setattr(watchtree._Hints, "on_any_event", lambda self, event: None)
    with Watcher(tmp_path, "", is_yaml) as watcher:
        write(tmp_path, "a.yaml", text="bb")
        assert until(watcher, {"a.yaml"}) == {"a.yaml"}


def test_several_writes_are_one_change(tmp_path: Path) -> None:
    write(tmp_path, "live/a.yaml", "paper/a.yaml")
    with Watcher(tmp_path, "live", is_yaml) as watcher:
        for number in range(5):
            write(tmp_path, "live/a.yaml", f"live/{number}.yaml", "paper/a.yaml", text=str(number))
            time.sleep(0.01)
        assert until(watcher, {"live/a.yaml"}) == {"live/a.yaml", *(f"live/{number}.yaml" for number in range(5))}
        assert watcher.wait(0.3) == frozenset()


@pytest.mark.parametrize("fails", [False, True])
def test_no_thread_and_no_handle_is_left(tmp_path: Path, fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if fails and sys.platform == "linux":
        monkeypatch.setattr(ADD_WATCH, limited)
    threads, handles = threading.active_count(), _handles()
    with Watcher(tmp_path, "", is_yaml) as watcher:
        watcher.wait(0.05)
    assert (threading.active_count(), _handles()) == (threads, handles)


def _handles() -> int:
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0  # noqa: PTH208
