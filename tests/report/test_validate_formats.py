"""`validate --format …`: the format alone is on stdout, whatever else is said."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from reconciler.cli.main import run
from tests.docs.markdown import EXAMPLE, Edit

if TYPE_CHECKING:
    from pathlib import Path

SLIP = Edit("accounts/cv-eurusd.yaml", "leverage: 30", "leverage: 1:30")
ANNOTATION = "::error file=desk/accounts/cv-eurusd.yaml,line=17,col=13,title=ambiguous-scalar::1:30 is read as 90"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A configuration with a slip, in a folder of a repository."""
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "desk"
    shutil.copytree(EXAMPLE, folder)
    SLIP.apply(folder)
    return folder


@pytest.mark.parametrize("form", ["json", "markdown", "github", "sarif", "junit"])
def test_stdout_holds_the_format_alone(form: str, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["-v", "validate", "--repo", str(desk.parent), "--path", "desk", "--format", form])
    out = capsys.readouterr().out
    assert code == 1
    if form in ("json", "sarif"):
        assert "1:30 is read as 90" in json.dumps(json.loads(out))
    elif form == "junit":
        assert len(list(ElementTree.fromstring(out).iter("failure"))) == 1
    elif form == "github":
        assert out.startswith(ANNOTATION)
        assert all(line.startswith("::") for line in out.splitlines())
    else:
        assert out.startswith("<!-- reconciler:validate -->\n### ❌ Configuration: 1 error, 0 warnings\n")


@pytest.mark.parametrize("form", ["text", "json", "markdown", "github", "sarif", "junit"])
def test_no_format_fails_on_a_good_tree(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--repo", str(EXAMPLE), "--format", form]) == 0
    assert capsys.readouterr().out.strip()
