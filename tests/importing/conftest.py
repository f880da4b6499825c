"""The command line in this process, in a folder of its own with an empty config repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from reconciler.cli.main import run
from tests.support.gitrepo import GitRepo
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """What the command did."""

    code: int
    out: list[str]
    err: str


@dataclass(frozen=True)
class Desk:
    """A folder with a config repository in it, and files to import beside it."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    @property
    def repository(self) -> Path:
        return self.folder / "config"

    def write(self, files: Mapping[str, str]) -> None:
        """Put files into the repository."""
        for path, text in files.items():
            (self.repository / path).parent.mkdir(parents=True, exist_ok=True)
            (self.repository / path).write_text(text, encoding="utf-8", newline="\n")

    def files(self) -> dict[str, str]:
        """The files of the repository, but for git's own."""
        return {
            file.relative_to(self.repository).as_posix(): file.read_text(encoding="utf-8")
            for file in sorted(self.repository.rglob("*"))
            if file.is_file() and ".git" not in file.parts
        }

    def csv(self, name: str, text: str) -> str:
        """A CSV file."""
        (self.folder / name).write_text(text, encoding="utf-8", newline="")
        return name

    def database(self, name: str, *statements: str) -> str:
        """A DuckDB file."""
        with duckdb.connect(str(self.folder / name)) as connection:
            for statement in statements:
                connection.execute(statement)
        return name

    def imports(self, *arguments: str) -> Answer:
        """Run `reconciler import`."""
        self.capture.readouterr()
        code = run(["import", *arguments, "--repo", str(self.repository)])
        out, err = self.capture.readouterr()
        return Answer(code, out.splitlines(), err)

    def live(self) -> dict[str, list[Any]]:
        """Commit everything, and bring it live on a new host."""
        repo = GitRepo(self.repository)
        repo.commit(self.files())
        world = World(self.repository)
        assert not [problem for problem in world.sync().plan.problems if problem.is_error]
        return world.live()


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    GitRepo.create(tmp_path / "config")
    return Desk(tmp_path, capsys)


HEADER = (
    "user_id,lot_size_type,lot_size_value,risk_per_trade_percent,stop_loss_type,take_profit_type,max_open_trades,"
    "trade_direction,status"
)


def user_row(number: int, *, risk: str = "0.5", status: str = "ACTIVE", prefix: str = "0000000") -> str:
    """A CSV record of a user."""
    return f"{prefix}{number}-0000-4000-8000-000000000000,FIXED,0.10,{risk},ATR,ATR,4,BOTH,{status}"


def users(*rows: str, header: str = HEADER, end: str = "\n") -> str:
    """A CSV file of users."""
    return "".join(f"{line}{end}" for line in (header, *rows))


USERS = f"CREATE TABLE user_config ({', '.join(f'{name} VARCHAR' for name in HEADER.split(','))})"
