"""What reconciler says about a change: its files, its policies' tests, and its plan."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler_ci.errors import CannotRun
from reconciler_ci.processes import Done, run

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler_ci.checkout import Checkout

OK, PROBLEMS, DIFFERENT, FAILED = 0, 1, 2, 3
"""Exit codes of reconciler."""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """The program, on one checkout. It is started in `scratch`, where no settings lie that a change could bring."""

    checkout: Checkout
    scratch: Path

    def validate(self, form: str) -> Done:
        """`validate` in one format."""
        return self._run("validate", "--format", form)

    def plan(self, base: str, head: str, *forms: str) -> dict[str, Done]:
        """`plan` between two commits in some formats, on all cores."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            words = ("plan", f"--base={base}", f"--head={head}", "--format")
            return dict(zip(forms, pool.map(lambda form: self._run(*words, form), forms), strict=True))

    def test_policies(self) -> PolicyTests:
        """`policy test`."""
        done = self._run("policy", "test", "--format", "json")
        return PolicyTests(done.code, _parsed(done))

    def _run(self, *arguments: str) -> Done:
        place = [f"--repo={self.checkout.root}", *([f"--path={self.checkout.path}"] if self.checkout.path else [])]
        settings = dict.fromkeys((name for name in os.environ if name.upper().startswith("RECONCILER_")), None)
        command = [sys.executable, "-m", "reconciler", *arguments, *place]
        done = run(command, self.scratch, environment={**settings, "PYTHONUTF8": "1", "NO_COLOR": "1"})
        if done.code not in (OK, PROBLEMS, DIFFERENT):
            error, _, hint = done.err.strip().partition("\nhint: ")
            told = error.rpartition("error: ")[2] or f"it ended with exit code {done.code}"
            raise CannotRun(f"`reconciler {arguments[0]}` could not run: {told}", hint)
        return done


@dataclass(frozen=True, slots=True)
class PolicyTests:
    """What came of the policies' tests."""

    code: int
    told: dict[str, Any]

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self.told["tests"])

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Those that did not pass: `policy`, `name`, `path`, `violations`, `problems`."""
        return [test for test in self.told["tests"] if not test["passed"]]


@dataclass(frozen=True, slots=True)
class Findings:
    """What is counted of the JSON of `validate` and `plan`."""

    changes: int
    errors: int

    @classmethod
    def of(cls, done: Done) -> Findings:
        """Out of the output of a command with `--format json`."""
        told = _parsed(done)
        errors = sum(problem["severity"] == "error" for problem in told["problems"])
        return cls(len(told.get("changes", ())), errors)


def outcome(*codes: int) -> int:
    """The exit code of several commands together: what could not run, then problems, then differences."""
    return max(codes, key=(OK, DIFFERENT, PROBLEMS, FAILED).index)


def _parsed(done: Done) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(done.out)
    return told
