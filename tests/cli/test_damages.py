"""A state folder that is damaged, full or read-only: every command says so in words, and changes nothing."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import duckdb
import pytest

from reconciler.adapters.duckdb.connection import FILE_NAME
from tests.support.daemons import running
from tests.support.disks import tiny_disk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Answer, Host

pytestmark = pytest.mark.slow


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _bad_blocks(file: Path) -> None:
    with file.open("r+b") as written:
        for place in range(12_288 + 300, file.stat().st_size, 4_096):
            written.seek(place)
            written.write(b"\xff" * 8)


def _without_tables(file: Path) -> None:
    with duckdb.connect(str(file)) as other:
        for table in ("applied", "kinds", "events"):
            other.execute(f"DROP TABLE gitops.{table}")


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _of_others(file: Path) -> None:
    file.unlink()
    with duckdb.connect(str(file)) as other:
        other.execute("CREATE TABLE trades (id INTEGER)")


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut": (_cut, "damaged"),
    "bad blocks": (_bad_blocks, "damaged"),
    "empty": (lambda file: os.truncate(file, 0), "damaged"),
    "garbage": (lambda file: file.write_bytes(b"nonsense" * 9_000) and None, "damaged"),
    "no tables of its own": (_without_tables, "something altered"),
    "a folder": (_folder, "no file"),
    "of others": (_of_others, "no store of ours"),
}
COMMANDS = (
    ("sync",),
    ("status",),
    ("get", "user"),
    ("uses", "user", "fx-majors-01"),
    ("plan",),
    ("drift",),
    ("drift", "--heal"),
    ("verify",),
    ("log",),
    ("history",),
    ("history", "user", "fx-majors-01"),
    ("blame", "user", "fx-majors-01"),
    ("sql", "SELECT * FROM user_config"),
    ("suspend", "--reason", "none"),
    ("resume",),
    ("backup",),
    ("doctor",),
)


def _check(answer: Answer, words: str, command: tuple[str, ...]) -> None:
    said = answer.out + answer.err
    _check_manners(answer, command)
    if command == ("doctor",):
        assert (answer.code, words in said) == (1, True), (command, said)
    else:
        assert (answer.code, words in answer.err) == (3, True) or _reads_other_things(answer, command), (command, said)


def _check_manners(answer: Answer, command: tuple[str, ...]) -> None:
    said = f"{answer.out}{answer.err}" if command == ("doctor",) else answer.err
    assert not any(word in said for word in ("bug", "Traceback", "unexpected", "delete")), (command, said)


def _reads_other_things(answer: Answer, command: tuple[str, ...]) -> bool:
    """Some commands may not come by what is damaged."""
    return command[0] in ("history", "log", "blame", "uses", "status") and answer.code == 0


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_every_command_says_what_is_wrong_and_changes_nothing(synced: Host, damage: str, tmp_path: Path) -> None:
    assert synced.run("backup").code == 0
    (backup,) = (synced.state / "backups").iterdir()
    kept = shutil.copytree(synced.state / "backups", tmp_path / "backups") / backup.name
    file = synced.state / FILE_NAME
    spoil, words = DAMAGES[damage]
    spoil(file)
    before = file.read_bytes() if file.is_file() else None
    for command in (*COMMANDS, ("export", "user", "--to", str(tmp_path / "out"))):
        _check(synced.run(*command), words, command)
        assert (file.read_bytes() if file.is_file() else None) == before, command
    if words in ("damaged", "something altered"):
        assert f"`reconciler restore {backup}`" in synced.run("drift").err
    assert synced.run("restore", str(kept)).code == 0
    assert (synced.run("sync").code, synced.run("drift").code, synced.run("verify").code) == (0, 0, 0)


def test_without_a_backup_the_remedy_is_true(synced: Host) -> None:
    _cut(synced.state / FILE_NAME)
    assert "move it and its .wal aside and sync" in synced.run("sync").err
    (synced.state / FILE_NAME).rename(synced.state / "aside")
    assert (synced.run("sync").code, synced.run("drift").code, synced.run("verify").code) == (0, 0, 0)


def test_a_read_only_disk(synced: Host, tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", 80_000) as disk:
        state = disk.folder / "state"
        shutil.copytree(synced.state, state, symlinks=True)
        disk.protect()
        elsewhere = type(synced)(synced.repo, state, synced.capture)
        for command in COMMANDS:
            answer = elsewhere.run(*command)
            said = answer.out + answer.err
            _check_manners(answer, command)
            if answer.code == 3 or command == ("doctor",):
                assert "read-only" in said, (command, said)
            elif command[0] in ("sync", "suspend", "backup"):
                pytest.fail(f"{command}: {said}")
        for command in (("status",), ("get", "user"), ("plan",)):
            assert elsewhere.run(*command).code == 0, command
        disk.release()
        assert (elsewhere.run("sync").code, elsewhere.run("verify").code) == (0, 0)


def test_a_full_disk(synced: Host, tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", 80_000) as disk:
        state = disk.folder / "state"
        shutil.copytree(synced.state, state, symlinks=True)
        elsewhere = type(synced)(synced.repo, state, synced.capture)
        before = elsewhere.run("get", "user").out
        disk.fill()
        synced.edit("users/fx-majors-01.yaml", "max_open_trades: 6", "max_open_trades: 5")
        for command in COMMANDS:
            answer = elsewhere.run(*command)
            said = answer.out + answer.err
            _check_manners(answer, command)
            assert answer.code != 3 or "disk" in said, (command, said)
        assert elsewhere.run("get", "user").out == before
        disk.empty()
        assert (elsewhere.run("sync").code, elsewhere.run("verify").code) == (0, 0)
        assert elsewhere.run("get", "user").out != before


def test_a_daemon_says_it_goes_on_and_takes_a_backup_back(synced: Host) -> None:
    assert synced.run("backup").code == 0
    (backup,) = (synced.state / "backups").iterdir()
    _cut(synced.state / FILE_NAME)
    with running(synced.repo.path, synced.state) as daemon:
        said = daemon.await_status(lambda said: bool(said["troubles"]))
        assert "damaged" in str(said["troubles"])
        for command in (("get", "user"), ("sync",), ("drift",), ("verify",)):
            _check(synced.run(*command), "damaged", command)
        assert synced.run("restore", str(backup)).code == 0
        daemon.await_live(synced.repo.git("rev-parse", "HEAD"))
