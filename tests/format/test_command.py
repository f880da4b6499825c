"""`reconciler fmt` on files of a real folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.files import replace_content
from reconciler.cli.main import run
from reconciler.errors import BugError, NeedsHuman
from reconciler.format import format as format_module
from reconciler.format.format import format_file
from tests.docs.markdown import EXAMPLE
from tests.format.orders import ORDER
from tests.support.lending import Lent

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSY = Path("users/fx-majors-01.yaml")
BROKEN = Path("accounts/cv-eurusd.yaml")
COUNT = sum(not path.relative_to(EXAMPLE).as_posix().startswith((".", "policies/")) for path in EXAMPLE.rglob("*.yaml"))
"""Files of the example that count, `reconciler.yaml` among them."""


@dataclass(frozen=True)
class Desk:
    """A copy of the example repository with a file that is not canonical."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def fmt(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        return self.run("fmt", *arguments)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        self.capture.readouterr()
        code = run([*arguments, "--repo", str(self.folder)])
        return (code, *self.capture.readouterr())

    def edit(self, path: Path, old: str, new: str) -> None:
        text = (self.folder / path).read_text(encoding="utf-8")
        assert old in text
        (self.folder / path).write_text(text.replace(old, new), encoding="utf-8", newline="\n")

    def state(self) -> dict[str, tuple[int, int, bytes]]:
        """What a write would change: inode, time and content of each file."""
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        found = ((path, path.stat()) for path in files)
        return {str(path): (stat.st_ino, stat.st_mtime_ns, path.read_bytes()) for path, stat in found}


@pytest.fixture(scope="module")
def lent(tmp_path_factory: pytest.TempPathFactory) -> Lent:
    return Lent(EXAMPLE, tmp_path_factory.mktemp("lent") / "desk")


@pytest.fixture
def desk(lent: Lent, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    with lent.taken() as folder:
        desk = Desk(folder, capsys)
        desk.edit(MESSY, "  lot_size_type: PERCENTAGE\n", "  lot_size_type:   PERCENTAGE\n")
        yield desk


def test_check_names_what_would_change_and_writes_nothing(desk: Desk) -> None:
    before = desk.state()
    told = f"1 file would be reformatted, {COUNT - 1} files already formatted\n"
    assert desk.fmt("--check") == (2, f"{MESSY.as_posix()}\n", told)
    assert desk.state() == before


def test_diff_shows_what_would_change_and_writes_nothing(desk: Desk) -> None:
    before = desk.state()
    code, out, _ = desk.fmt("--diff")
    assert code == 2
    assert out.startswith(f"--- {MESSY.as_posix()}\n+++ {MESSY.as_posix()}\n@@ ")
    assert "\n-  lot_size_type:   PERCENTAGE\n+  lot_size_type: PERCENTAGE\n" in out
    assert desk.state() == before


def test_diff_shows_what_cannot_be_seen(desk: Desk) -> None:
    (desk.folder / MESSY).write_bytes(b"\xef\xbb\xbfkind: User\r\nspec: {}\nx: 1")
    _, out, _ = desk.fmt("--diff")
    assert "\n-\\ufeffkind: User\\r\n+kind: User\n spec: {}\n-x: 1\n\\ No newline at end of file\n+x: 1\n" in out


def test_a_checkout_with_windows_line_ends_is_canonical(desk: Desk) -> None:
    desk.fmt()
    for file in desk.folder.rglob("*.yaml"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert desk.fmt("--check") == (0, "", f"{COUNT} files already formatted\n")
    (desk.folder / MESSY).write_bytes((desk.folder / MESSY).read_bytes().replace(b"status: ", b"status:  "))
    assert desk.fmt()[:2] == (0, f"{MESSY.as_posix()}\n")
    assert (desk.folder / MESSY).read_bytes() == (EXAMPLE / MESSY).read_bytes().replace(b"\n", b"\r\n")


def test_only_what_differs_is_written_and_once(desk: Desk) -> None:
    before = desk.state()
    assert desk.fmt() == (0, f"{MESSY.as_posix()}\n", f"1 file reformatted, {COUNT - 1} files left unchanged\n")
    after = desk.state()
    assert after.keys() == before.keys()
    assert [path for path in after if after[path] != before[path]] == [str(desk.folder / MESSY)]
    assert (desk.folder / MESSY).read_bytes() == (EXAMPLE / MESSY).read_bytes()
    assert desk.fmt() == (0, "", f"{COUNT} files left unchanged\n")
    assert desk.fmt("--check") == (0, "", f"{COUNT} files already formatted\n")
    assert desk.state() == after


@pytest.mark.skipif(os.name == "nt", reason="Windows files have no such mode")
def test_the_mode_of_a_file_stays(desk: Desk) -> None:
    (desk.folder / MESSY).chmod(0o640)
    desk.fmt()
    assert (desk.folder / MESSY).stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_read_is_told_as_by_validate_and_hides_no_other(desk: Desk) -> None:
    desk.edit(BROKEN, "leverage: 30", 'leverage: "30')
    broken = (desk.folder / BROKEN).read_bytes()
    _, validated, _ = desk.run("validate", str(desk.folder / BROKEN))
    code, out, err = desk.fmt()
    assert (code, out) == (1, f"{MESSY.as_posix()}\n")
    assert (
        err
        == f"{validated.splitlines()[0]}\n1 file reformatted, {COUNT - 2} files left unchanged, 1 file not readable\n"
    )
    assert "[yaml-syntax]" in err
    assert (desk.folder / BROKEN).read_bytes() == broken
    desk.edit(MESSY, "\n  lot_size_type", "\n\n\n  lot_size_type")
    assert desk.fmt("--check")[0] == 1


def test_paths_say_what_is_formatted(desk: Desk) -> None:
    desk.edit(BROKEN, "  leverage: 30", "  leverage:  30")
    assert desk.fmt(str(desk.folder / "users"), "--check")[:2] == (2, f"{MESSY.as_posix()}\n")
    assert desk.fmt(str(desk.folder / BROKEN), "--check")[:2] == (2, f"{BROKEN.as_posix()}\n")
    assert desk.fmt(str(desk.folder / "users" / "fx-majors-02.yaml"), "--check")[0] == 0
    code, _, err = desk.fmt(str(desk.folder / "README.md"))
    assert code == 3
    assert "README.md is not part of the configuration" in err
    assert desk.fmt(str(desk.folder / "nowhere"))[0] == 3


def test_settings_are_formatted_and_what_belongs_to_others_is_not(desk: Desk) -> None:
    desk.fmt()
    others = ("schemas/broker.schema.json", "policies/x.sql", ".github/workflows/x.yaml", "notes.json", "users/.x.yaml")
    for path in others:
        (desk.folder / path).parent.mkdir(parents=True, exist_ok=True)
        with (desk.folder / path).open("ab") as file:
            file.write(b"\n\n   \n")
    before = desk.state()
    assert desk.fmt()[:2] == (0, "")
    assert desk.state() == before
    desk.edit(Path("reconciler.yaml"), "kind: Repository", "kind:   Repository")
    assert desk.fmt()[:2] == (0, "reconciler.yaml\n")


def test_keys_of_a_kind_of_the_repository_have_its_order(desk: Desk) -> None:
    path = Path("brokers/ostrin-prime.yaml")
    desk.edit(path, "    step: 0.01\n", "")
    desk.edit(path, "  lot:\n", "  lot:\n    step: 0.01\n")
    assert desk.fmt(str(desk.folder / path))[0] == 0
    assert (desk.folder / path).read_bytes() == (EXAMPLE / path).read_bytes()


def test_a_link_stays_a_link(desk: Desk) -> None:
    link = desk.folder / "users" / "linked.yaml"
    link.symlink_to("fx-majors-01.yaml")
    assert desk.fmt()[:2] == (0, f"{MESSY.as_posix()}\n")
    assert link.is_symlink()


def test_an_empty_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Desk(tmp_path, capsys).fmt() == (0, "", "warning: there is no *.yaml or *.yml file to format\n")


@pytest.mark.parametrize("change", ["spec", "comment"])
def test_a_layout_that_would_change_a_file_is_a_bug_and_written_nowhere(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    format_text = format_module.format_text

    def losing(text: str, order: object) -> str:
        after = format_text(text, ORDER)
        if "name: cv-eurusd" not in text:
            return after
        return after.replace("leverage: 30", "leverage: 30.0") if change == "spec" else after.replace("# Main", "")

    monkeypatch.setattr(format_module, "format_text", losing)
    data = (desk.folder / BROKEN).read_bytes()
    with pytest.raises(BugError, match="stays as it is"):
        format_file(BROKEN.as_posix(), data, ORDER)
    code, out, err = desk.fmt()
    assert (code, out) == (3, f"{MESSY.as_posix()}\n")
    assert f"error: {BROKEN.as_posix()} stays as it is" in err
    assert (desk.folder / BROKEN).read_bytes() == data


def test_what_the_disk_refuses_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(NeedsHuman, match=r"cannot write .*gone"):
        replace_content(tmp_path / "gone.yaml", b"a: 1\n")
    assert list(tmp_path.iterdir()) == []
