"""Examples of `--help` do in the example repository what their pages say."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.help import EXAMPLES
from reconciler.cli.main import COMMANDS
from tests.cli.conftest import Host, first_synced

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Past

ELSEWHERE = {"demo", "run", "open", "logs", "session", "import", "restore", "history copy", "schema new", "service"}
"""Those that need more than the example repository, and those that take longer than all others together."""
ANSWERS = {"plan": 2, "diff": 2}
"""Exit codes of those that show a difference."""


def changed(host: Host) -> None:
    first_synced(host)
    host.edit("users/fx-majors-01.yaml", "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.5")
    assert host.run("sync").code == 0
    host.repo.git("reset", "--hard")


@pytest.mark.slow
def test_examples_work_in_the_example_repository(
    begin: Callable[[Past], Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = begin(changed)
    monkeypatch.chdir(tmp_path)
    tried = [
        path for path in EXAMPLES if path and not path.startswith(("session", "service")) and path not in ELSEWHERE
    ]
    assert len(tried) > len(COMMANDS) - len(ELSEWHERE)
    for path in tried:
        answer = host.run(*shlex.split(EXAMPLES[path]))
        assert answer.code == ANSWERS.get(path, 0), (path, answer)
