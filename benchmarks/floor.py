"""The least that any program has to do from a commit to live rows: what ours is measured against.

It watches the branch, asks git for the paths that a commit changed, parses and validates these files, and writes the
rows in one transaction. No history, no policies, no references, no errors that anybody could read.

    python -m benchmarks.floor REPOSITORY BRANCH STORE
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from queue import Queue

import duckdb
import jsonschema_rs
import yaml
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

SCHEMA = Path(__file__).parents[1] / "schemas" / "user.schema.json"


class Heads(FileSystemEventHandler):
    """Puts something into a queue whenever a branch may have moved."""

    def __init__(self, moved: Queue[None]) -> None:
        self._moved = moved

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("moved", "modified", "created"):
            self._moved.put(None)


def main(repository: Path, branch: str, store: str) -> None:
    """Print each commit that is live."""
    git_folder = repository / ".git"
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    fields = list(schema["properties"]["spec"]["properties"])
    validator = jsonschema_rs.validator_for(schema)
    columns = ", ".join(f"{field} VARCHAR" for field in fields)
    settings = ", ".join(f"{field} = ?" for field in fields)
    moved: Queue[None] = Queue()
    watch = Observer()
    watch.schedule(Heads(moved), str(git_folder / "refs" / "heads"))
    watch.start()
    with duckdb.connect(store) as connection:
        connection.execute(f"CREATE TABLE user_config (name VARCHAR PRIMARY KEY, {columns})")
        names = _git(git_folder, "ls-tree", "-r", "--name-only", branch).split()
        blank = ", ".join("''" for _ in fields)
        connection.execute(f"INSERT INTO user_config SELECT unnest(?), {blank}", [[Path(name).stem for name in names]])
        live = _git(git_folder, "rev-parse", branch).strip()
        print(live, flush=True)
        while True:
            moved.get()
            head = (git_folder / "refs" / "heads" / branch).read_text(encoding="ascii").strip()
            if head == live:
                continue
            changed = _git(git_folder, "diff-tree", "-r", "--name-only", live, head).split()
            connection.begin()
            for path in changed:
                document = yaml.load(_git(git_folder, "cat-file", "blob", f"{head}:{path}"), yaml.CSafeLoader)
                validator.validate(document)
                values = [str(document["spec"].get(field)) for field in fields]
                connection.execute(
                    f"UPDATE user_config SET {settings} WHERE name = ?", [*values, document["metadata"]["name"]]
                )
            connection.commit()
            live = head
            print(live, flush=True)


def _git(git_folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "--git-dir", str(git_folder), *arguments], check=True, capture_output=True, text=True
    ).stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
