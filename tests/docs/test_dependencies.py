"""Every distribution that is imported is declared in pyproject.toml, and what is needed for nothing is not."""

from __future__ import annotations

import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = {"reconciler", "reconciler_ci", "tests", "benchmarks", "desk_client"}
"""The last is the client that a test generates."""
OF_PYWIN32 = ("win32service", "win32serviceutil", "servicemanager", "pywintypes", "winerror")
"""Modules of what is installed on Windows alone."""
COMPILED = {"_duckdb": ["duckdb"]}
"""Modules that are one library and no Python file: what is installed does not say whose they are."""
REQUIREMENT = re.compile(r"[\w.-]+")
IMPORT = re.compile(r"^ *(?:import (\w+)|from (\w+)[\w.]* import )", re.MULTILINE)


@cache
def declared(extra: str = "") -> frozenset[str]:
    """The distributions that an extra asks for, or without one the package itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return frozenset(normal(found[0]) for one in asked if (found := REQUIREMENT.match(one)))


@cache
def imported(*folders: str) -> dict[str, frozenset[str]]:
    """The modules that these folders import by their first names, each with the distributions it may come from."""
    files = (file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    modules = {found[1] or found[2] for file in files for found in IMPORT.finditer(file.read_text(encoding="utf-8"))}
    known = {**packages_distributions(), **{module: ["pywin32"] for module in OF_PYWIN32}, **COMPILED}
    theirs = modules - OURS - sys.stdlib_module_names
    return {module: frozenset(map(normal, known.get(module, [module]))) for module in theirs}


def normal(name: str) -> str:
    """The name of a distribution as all its spellings have it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def undeclared(modules: dict[str, frozenset[str]], allowed: frozenset[str]) -> list[str]:
    """The modules that none of the allowed distributions has."""
    return sorted(module for module, distributions in modules.items() if not distributions & allowed)


def test_what_the_program_imports_is_declared() -> None:
    modules = imported("reconciler", "deploy")
    assert len(modules) > 15, "it was looked at"
    assert undeclared(modules, declared() | declared("embedded")) == []


def test_what_the_tests_import_is_declared() -> None:
    assert undeclared(imported("tests", "benchmarks"), declared() | declared("embedded") | declared("dev")) == []


def test_what_is_declared_is_imported() -> None:
    assert declared() - frozenset().union(*imported("reconciler", "deploy").values()) == set()
