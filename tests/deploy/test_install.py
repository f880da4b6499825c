"""What `make setup` runs: uv has to look where pip does."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
URL = "-url"
LISTED = f"""\
:env:.find-links='/wheels'
:env:.index{URL}='https://user:pw@packages.example.com/simple'
global.cert='/etc/ca.pem'
global.index{URL}='https://elsewhere.example.com/simple'
install.extra-index{URL}='https://a.example.com/simple\\nfile:///not/there/simple'
freeze.timeout='10'
"""


@pytest.fixture(scope="module")
def install() -> dict[str, Any]:
    """The names of the script."""
    return runpy.run_path(str(ROOT / "deploy" / "install.py"))


def test_uv_looks_where_pip_looks(install: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = install["parse_settings"](LISTED.replace("/wheels", str(tmp_path)))
    assert install["options"](settings) == (
        *("--index-strategy", "unsafe-best-match"),
        *("--default-index", "https://user:pw@packages.example.com/simple"),
        *("--index", "https://a.example.com/simple"),
        *("--find-links", str(tmp_path)),
    )
    for name in ("SSL_CERT_FILE", "UV_SYSTEM_CERTS"):
        monkeypatch.delenv(name, raising=False)
    assert install["variables"](settings) == {"UV_SYSTEM_CERTS": "true", "SSL_CERT_FILE": "/etc/ca.pem"}
    monkeypatch.setenv("SSL_CERT_FILE", "mine.pem")
    assert "SSL_CERT_FILE" not in install["variables"](settings)


@pytest.mark.parametrize(("given", "expected"), [("1", True), ("true", True), ("0", False), ("false", False)])
def test_no_index_is_no_index(install: dict[str, Any], given: str, expected: bool) -> None:
    settings = install["parse_settings"](f":env:.no-index='{given}'\n")
    assert ("--no-index" in install["options"](settings)) is expected


def test_each_extra_of_the_makefile_is_known(install: dict[str, Any]) -> None:
    used = re.findall(r"deploy/install\.py (\w+)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert sorted(used) == sorted(install["CONTENT"])
    assert re.search(r"^uv==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
