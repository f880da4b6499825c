"""The jobs of the GitLab template: their own scripts, run with sh on a merge request of an odd repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.ci.conftest import PLACE
from tests.ci.forge import TOKEN
from tests.docs.markdown import ROOT
from tests.support.configs import user

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.ci.conftest import Desk
    from tests.ci.forge import Forge

TEMPLATE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "gitlab-ci.yml").read_text(encoding="utf-8"))
SCAFFOLD: dict[str, Any] = yaml.safe_load((ROOT / "scaffold/ci/gitlab/.gitlab-ci.yml").read_text(encoding="utf-8"))


def run(job: str, work: Path, desk: Desk, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A job's script as the runner joins it; what `before_script` installs is there already."""
    kept = {name: os.environ[name] for name in ("TMPDIR", "SYSTEMROOT") if name in os.environ}
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    nothing = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(desk.folder)}
    return subprocess.run(
        ["sh", "-e", "-c", "\n".join(TEMPLATE[job]["script"])],
        cwd=work,
        env={**kept, **nothing, "PATH": path, "CONFIG_PATH": PLACE, "GITLAB_CI": "true", **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def variables(forge: Forge, base: str, source: str) -> dict[str, str]:
    """What GitLab tells the pipeline of a merge request."""
    return {
        "CI_API_V4_URL": f"{forge.address}/api/v4",
        "CI_PROJECT_ID": "42",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": base,
        "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": source,
        "CI_COMMIT_BEFORE_SHA": "0" * 40,
        "MERGE_REQUEST_TOKEN": TOKEN,
    }


def report(work: Path, name: str) -> ElementTree.Element:
    """A JUnit report, at the place from where GitLab takes it."""
    template = {"plan": ".reconciler-plan", "validate": ".reconciler-validate"}[name]
    return ElementTree.parse(work / TEMPLATE[template]["artifacts"]["reports"]["junit"]).getroot()


@pytest.mark.slow
def test_a_merge_request_has_one_note(desk: Desk, forge: Forge) -> None:
    base = desk.origin.git("rev-parse", "main")
    source = desk.commit({"users/ann.yaml": user("ann", risk=1.0)}, branch="change")
    work = desk.clone(source)
    done = run(".reconciler-plan", work, desk, variables(forge, base, source))
    assert done.returncode == 0, done.stderr
    assert "0.5 → 1 percent" in done.stdout
    assert done.stdout.endswith("note on !7: written\n")
    (body,) = forge.bodies()
    assert body.startswith("<!-- reconciler:plan -->\n<!-- at ")
    assert (work / TEMPLATE[".reconciler-plan"]["artifacts"]["paths"][0]).read_text(encoding="utf-8") == body
    assert report(work, "plan").findall(".//testcase[@name='update User ann']")

    source = desk.commit({"users/ann.yaml": user("ann", risk=-1.0)}, branch="change")
    work = desk.clone(source)
    done = run(".reconciler-plan", work, desk, variables(forge, base, source))
    assert done.returncode == 1
    (body,) = forge.bodies()
    assert "; refused by" in body or "### ❌ refused by" in body
    assert report(work, "plan").findall(".//failure[@type='out-of-range']")
    assert TOKEN not in done.stdout + done.stderr

    done = run(".reconciler-validate", work, desk, {})
    assert done.returncode == 1
    assert "[out-of-range] /spec/risk_per_trade_percent" in done.stdout
    assert report(work, "validate").findall(".//failure[@type='out-of-range']")


@pytest.mark.slow
def test_without_a_token_or_with_a_wrong_one_the_log_tells_it(desk: Desk, forge: Forge) -> None:
    base = desk.origin.git("rev-parse", "main")
    source = desk.commit({"users/ann.yaml": user("ann", risk=1.0)}, branch="change")
    known = variables(forge, base, source)
    work = desk.clone(source)
    done = run(".reconciler-plan", work, desk, {**known, "MERGE_REQUEST_TOKEN": ""})
    assert (done.returncode, forge.asked) == (0, [])
    done = run(".reconciler-plan", work, desk, {**known, "MERGE_REQUEST_TOKEN": "another"})
    assert done.returncode == 0
    assert "warning: there is no note on the merge request: GET /user: 401" in done.stdout
    assert "another" not in done.stdout + done.stderr


def test_a_base_that_cannot_be_had_is_explained(desk: Desk) -> None:
    head = desk.origin.git("rev-parse", "main")
    done = run(".reconciler-plan", desk.clone(head), desk, {"CI_MERGE_REQUEST_DIFF_BASE_SHA": "1" * 40})
    assert done.returncode == 3
    assert done.stderr.startswith("error: the commit to compare with, 1111")
    assert "GIT_DEPTH: '0'" in done.stderr


def test_the_scaffold_runs_what_the_template_runs() -> None:
    for name in ("validate", "plan"):
        ours = TEMPLATE[f".reconciler-{name}"]
        assert SCAFFOLD[name]["artifacts"] == ours["artifacts"]
        assert [line.split(" --")[0] for line in ours["script"]] == SCAFFOLD[name]["script"]
    assert SCAFFOLD["default"]["before_script"] == ["python -m pip install --quiet .reconciler/program/*.whl"]
    assert SCAFFOLD["workflow"]["rules"] == TEMPLATE[".reconciler"]["rules"]
