"""Installs this project with an extra into the environment of the Python that runs it, and says what it is doing.

    .venv/bin/python deploy/install.py embedded

uv does it, which pip installs first: it takes a fifth of pip's time. It goes by pip's settings of indexes, proxy and
certificate. Where it cannot be had, or does not come to an end, pip does it.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
CONTENT = {
    "embedded": "the program with DuckDB, ClickHouse and Valkey: 1 GB on disk, 5 to 60 s",
    "dev": "what checks and tests it: 400 MB on disk, 5 to 60 s",
}
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
UV = ("pip", "install", "--quiet", "--python", sys.executable)
CONSTRAINTS = ("--constraint", "constraints.txt")
LOOK_AGAIN = 10
"""Seconds after which it says that it is still at work."""

OPTIONS = {
    "index": "--default-index",
    "extra-index": "--index",
    "find-links": "--find-links",
    "trusted-host": "--allow-insecure-host",
}
VARIABLES = {
    "cert": "SSL_CERT_FILE",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "proxy": "ALL_PROXY",
}
"""pip's settings by what uv calls them."""


def main() -> int:
    """Install; the exit code is that of who did it."""
    extra = sys.argv[1]
    project = (*CONSTRAINTS, "--editable", f".[{extra}]")
    began = time.monotonic()
    _say(f"installing {CONTENT[extra]}")
    code = _try_uv(project)
    if code:
        _say("pip does it instead, which takes a minute or two")
        code = _run((*PIP, *project))
    if code:
        _say(f"it could not be installed (exit code {code}); `make` again goes on from here")
    else:
        _say(f"installed in {time.monotonic() - began:.0f} s")
    return code


def _try_uv(project: tuple[str, ...]) -> int:
    found = shutil.which("uv") if find_spec("pip") is None else None  # who makes environments without pip has it
    if found is None:
        code = _run((*PIP, "--retries", "1", "--only-binary", "uv", *CONSTRAINTS, "uv"), shown=False)
        if code:
            _say("uv, the faster installer, cannot be had here")
            return code
    program = (sys.executable, "-m", "uv") if found is None else (found,)
    settings = _pip_settings()
    compiling = ("--compile-bytecode",) if sys.dont_write_bytecode else ()  # else each start would, and throw it away
    code = _run((*program, *UV, *compiling, *options(settings), *project), variables(settings))
    if code:
        _say(f"uv has failed (exit code {code})")
    return code


def _run(command: tuple[str, ...], more: Mapping[str, str] | None = None, *, shown: bool = True) -> int:
    """Run a command and say every now and then that it still runs; with `shown` its errors are shown."""
    began = time.monotonic()
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **(more or {})}, stderr=None if shown else subprocess.DEVNULL
    ) as process:
        while True:
            try:
                return process.wait(LOOK_AGAIN)
            except subprocess.TimeoutExpired:
                _say(f"still installing, {time.monotonic() - began:.0f} s")


def _pip_settings() -> dict[str, str]:
    command = (sys.executable, "-m", "pip", "config", "list")
    return parse_settings(subprocess.run(command, capture_output=True, check=False, encoding="utf-8").stdout)


def parse_settings(listed: str) -> dict[str, str]:
    """What counts of the settings that `pip config list` prints: the environment before the files."""
    found: dict[str, str] = {}
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        section, _, setting = name.rpartition(".")
        if section in ("global", "install", ":env:") and value:
            found[setting.removesuffix("-url")] = str(ast.literal_eval(value))
    return found


def options(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Where uv has to look to look where pip does; folders that are not there are left out, as pip does."""
    found = ["--index-strategy", "unsafe-best-match"]
    for name, option in OPTIONS.items():
        places = settings.get(name, "").split()
        found += (part for place in places if name == "trusted-host" or _is_there(place) for part in (option, place))
    return (*found, "--no-index") if settings.get("no-index", "") in ("1", "true", "yes", "on") else tuple(found)


def variables(settings: Mapping[str, str]) -> dict[str, str]:
    """How uv has to reach it; what the environment says already stays."""
    wanted = {"UV_SYSTEM_CERTS": "true", **{VARIABLES[name]: settings[name] for name in VARIABLES if name in settings}}
    return {name: value for name, value in wanted.items() if name not in os.environ}


def _is_there(place: str) -> bool:
    local = place.removeprefix("file://")
    return "://" in local or Path(local).exists()


def _say(text: str) -> None:
    print(f"setup: {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
