"""A runner of composite actions: does with `action.yml` what GitHub's runner does, step by step, with bash.

`uses:` steps are looked at and not run. Expressions are those that the action uses: `inputs`, `steps`, `github`,
strings, `==`, `!=`, `&&`, `!cancelled()`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.ci.forge import TOKEN
from tests.docs.markdown import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
NAME = re.compile(r"\b(inputs|steps|github)((?:\.[\w-]+)+)")


@dataclass
class Job:
    """One run of the action."""

    place: Path
    inputs: dict[str, str]
    environment: dict[str, str]
    steps: dict[str, dict[str, str]] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    log: str = ""
    failed: bool = False

    @property
    def outputs(self) -> dict[str, str]:
        """What the action hands on; the runner evaluates this after a failure too."""
        return {name: self.evaluate(told["value"]) for name, told in ACTION["outputs"].items()}

    @property
    def summary(self) -> str:
        """The job's summary."""
        file = self.place / "summary"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def run(self, workspace: Path) -> Job:
        """All steps in order."""
        for step in ACTION["runs"]["steps"]:
            condition = step.get("if", "true")
            if self.failed and "cancelled()" not in condition:
                continue
            if self.evaluate(condition) in {"False", "false", ""}:
                continue
            if "uses" in step:
                self._use(step)
            else:
                self._run(step, workspace)
        return self

    def evaluate(self, text: str) -> str:
        """A text with its expressions replaced."""
        return EXPRESSION.sub(lambda found: str(self._value(found[1])), text)

    def _value(self, expression: str) -> Any:
        named = NAME.sub(lambda found: repr(self._named(found[1], found[2].split(".")[1:])), expression)
        python = named.replace("!cancelled()", "True").replace("&&", " and ").strip()
        return eval(python, {"__builtins__": {}})  # the action's own file

    def _named(self, context: str, parts: list[str]) -> str:
        match context, parts:
            case "inputs", [name]:
                given = ACTION["inputs"][name]  # an unknown one is a mistake
                return self.inputs[name] if name in self.inputs else self.evaluate(str(given.get("default", "")))
            case "steps", [step, "outputs", name]:
                assert step in {one.get("id") for one in ACTION["runs"]["steps"]}
                return self.steps.get(step, {}).get(name, "")
            case "github", ["token"]:
                return TOKEN
        raise AssertionError(f"{context}.{'.'.join(parts)} is unknown to this runner")

    def _use(self, step: Mapping[str, Any]) -> None:
        told = {name: self.evaluate(str(value)) for name, value in step["with"].items()}
        self.used.append(f"{step['uses']} {told}")
        if step.get("id") == "python":
            self.steps["python"] = {"python-path": sys.executable}

    def _run(self, step: Mapping[str, Any], workspace: Path) -> None:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "an expression in a script is an injection"
        script, outputs = self.place / "step.sh", self.place / "outputs"
        script.write_text(step["run"], encoding="utf-8")
        outputs.write_text("", encoding="utf-8")
        own = {name: self.evaluate(str(value)) for name, value in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
            cwd=workspace,
            env={**self.environment, "GITHUB_OUTPUT": str(outputs), **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=100,
            check=False,
        )
        self.log += done.stdout
        self.failed = self.failed or done.returncode != 0
        self.steps[step["id"]] = parsed(outputs.read_text(encoding="utf-8"))


def parsed(text: str) -> dict[str, str]:
    """The file of a step's outputs, in both of its forms."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, sign, rest = re.split(r"(<<|=)", line, maxsplit=1)
        if sign == "=":
            found[name] = rest
        else:
            found[name] = "\n".join(iter(lines.__next__, rest))
    return found


def start(place: Path, event: Path, forge: Mapping[str, str], **inputs: str) -> Job:
    """A job in an empty environment, into whose temporary folder reconciler is installed already.

    The virtual environment there is the tests' own: installing it anew takes a network, and `online.py` does.
    """
    temporary = place / "temp"
    temporary.mkdir(parents=True)
    own = temporary / "reconciler-venv"
    venv.create(own, with_pip=False, symlinks=os.name != "nt")
    packages = sysconfig.get_path("purelib", vars={"base": str(own), "platbase": str(own)})
    line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    Path(packages, "tests.pth").write_text(line, encoding="utf-8")
    (own / "installed-from").write_text(str(ROOT), encoding="utf-8")
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "SYSTEMROOT", "LANG") if name in os.environ}
    environment = {
        **kept,
        **forge,
        "HOME": str(place),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_STEP_SUMMARY": str(place / "summary"),
        "RUNNER_TEMP": str(temporary),
    }
    return Job(place, inputs, environment)
