"""The JSON Schema test suite as jsonschema's source distribution holds it: https://github.com/json-schema-org

pip fetches the pinned version into `build/`, or has done so: `.ci/run` does. Where it cannot, what needs the suite is
skipped, unless REQUIRE_SCHEMA_SUITE is 1.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "json-schema-suite"
TESTS = re.compile(r"[^/]+/json/tests/draft2020-12/(.+)\.json")


@dataclass(frozen=True, slots=True)
class Group:
    """One schema of the suite, in which file and called what, and its cases: description, data, valid."""

    file: str
    description: str
    schema: Any
    cases: list[dict[str, Any]]

    @property
    def name(self) -> str:
        return f"{self.file}: {self.description}"


def read_groups() -> list[Group]:
    """Every group of draft 2020-12, optional ones included."""
    found: list[Group] = []
    with tarfile.open(_find_distribution()) as archive:
        for member in archive:
            file, data = TESTS.fullmatch(member.name), archive.extractfile(member)
            if file and data:
                groups = json.loads(data.read())
                found += [Group(file[1], one["description"], one["schema"], one["tests"]) for one in groups]
    return found


def _find_distribution() -> Path:
    name = _pinned()
    file = FOLDER / f"{name.replace('==', '-')}.tar.gz"
    if not file.exists():
        _fetch(name)
    return file


def _pinned() -> str:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("jsonschema=="))


def _fetch(name: str) -> None:
    fault = "this environment has no pip, which fetches the suite"
    if find_spec("pip") is not None:
        options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", "jsonschema")
        command = (sys.executable, "-m", "pip", "download", *options, "--dest", str(FOLDER), name)
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=300)
        if done.returncode == 0:
            return
        fault = f"pip cannot fetch the suite: {done.stderr.strip()}"
    if os.environ.get("REQUIRE_SCHEMA_SUITE") == "1":
        pytest.fail(f"REQUIRE_SCHEMA_SUITE=1, and {fault}")
    pytest.skip(fault)
