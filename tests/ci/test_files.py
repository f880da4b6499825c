"""The files that platforms read, and the examples in docs/ci.md, by the platforms' own schemas and by actionlint."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from reconciler_ci import __main__ as program

from tests.ci.runner import ACTION
from tests.docs.markdown import ROOT, blocks, links, read

if TYPE_CHECKING:
    from collections.abc import Mapping

LINES = 10
EXAMPLES = {block.section: block.body for block in blocks(read("docs/ci.md"), "yaml")}
BIN = Path(sys.executable).parent


def check(*command: str, cwd: Path = ROOT) -> str:
    """Run a tool of the development environment; what it says when it finds nothing is empty."""
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]], cwd=cwd, capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def actionlint(folder: Path, workflow: str) -> str:
    """What actionlint has against a workflow of a repository that has this action at its root."""
    shutil.copy(ROOT / "action.yml", folder / "action.yml")
    place = folder / ".github" / "workflows"
    place.mkdir(parents=True, exist_ok=True)
    (place / "workflow.yml").write_text(workflow, encoding="utf-8")
    (folder / ".git").mkdir(exist_ok=True)
    return check("actionlint", "-shellcheck=", "-pyflakes=", "-no-color", cwd=folder)


def as_workflow(steps: list[Mapping[str, Any]]) -> str:
    """The steps of the action as those of a job, which is what actionlint knows."""
    inputs = {name: {"type": "string"} for name in ACTION["inputs"]}
    job = {"runs-on": "ubuntu-latest", "steps": steps}
    return yaml.safe_dump({"on": {"workflow_call": {"inputs": inputs}}, "jobs": {"action": job}}, sort_keys=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.github-actions", "action.yml"),
        ("vendor.github-workflows", "scaffold/ci/github/.github/workflows/config.yml"),
        ("vendor.gitlab-ci", "deploy/gitlab-ci.yml"),
        ("vendor.gitlab-ci", "scaffold/ci/gitlab/.gitlab-ci.yml"),
    ],
)
def test_a_file_is_what_its_platform_reads(schema: str, file: str) -> None:
    assert check("check-jsonschema", "--builtin-schema", schema, file) == ""


def test_the_steps_of_the_action_lint(tmp_path: Path) -> None:
    steps = ACTION["runs"]["steps"]
    assert actionlint(tmp_path, as_workflow(steps)) == ""
    wrong = [{**step, "env": {**step.get("env", {}), "X": "${{ inputs.pth }}"}} for step in steps]
    assert '"pth" is not defined' in actionlint(tmp_path, as_workflow(wrong)), "the linter looks at nothing"


def test_the_workflow_of_the_scaffold_lints(tmp_path: Path) -> None:
    assert actionlint(tmp_path, read("scaffold/ci/github/.github/workflows/config.yml")) == ""


def test_the_example_for_github(tmp_path: Path) -> None:
    example = EXAMPLES["GitHub"]
    assert len(example.splitlines()) <= LINES
    local, found = re.subn(r"uses: your-org/reconciler@\S+", "uses: ./", example)
    assert found == 1
    assert actionlint(tmp_path, local) == ""
    wrong = f"{local.rstrip()}\n        with: {{pth: x}}\n"
    assert '"pth" is not defined' in actionlint(tmp_path, wrong), "the linter does not see the action"


def test_the_example_for_gitlab(tmp_path: Path) -> None:
    example = EXAMPLES["GitLab"]
    assert len(example.splitlines()) <= LINES
    (tmp_path / "ci.yml").write_text(example, encoding="utf-8")
    assert check("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", "ci.yml", cwd=tmp_path) == ""
    template = yaml.safe_load(read("deploy/gitlab-ci.yml"))
    assert {job["extends"] for job in yaml.safe_load(example).values() if "extends" in job} <= set(template)
    known = set(re.findall(r"^#   ([A-Z_]+) ", read("deploy/gitlab-ci.yml"), re.MULTILINE))
    scripts = str([job.get(part) for job in template.values() for part in ("script", "before_script")])
    assert set(re.findall(r"\$\{([A-Z_]+)", scripts)) | {"MERGE_REQUEST_TOKEN"} == known
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", read("docs/ci.md"), re.MULTILINE)) == known


def test_the_example_for_pre_commit(tmp_path: Path) -> None:
    example = EXAMPLES["pre-commit"]
    assert len(example.splitlines()) <= LINES
    (tmp_path / "config.yaml").write_text(example, encoding="utf-8")
    assert check("pre-commit", "validate-config", "config.yaml", cwd=tmp_path) == ""
    assert check("pre-commit", "validate-manifest", ".pre-commit-hooks.yaml") == ""
    hooks = yaml.safe_load(read(".pre-commit-hooks.yaml"))
    named = yaml.safe_load(example)["repos"][0]["hooks"]
    assert {hook["id"] for hook in named} == {hook["id"] for hook in hooks}


def test_inputs_and_outputs_are_documented() -> None:
    page = read("docs/ci.md")
    for part in ("inputs", "outputs"):
        told = re.search(rf"^\| {part.removesuffix('s')} \|.*?(?=^$)", page, re.MULTILINE | re.DOTALL)
        assert told
        assert re.findall(r"^\| `([\w-]+)` \|", told[0], re.MULTILINE) == list(ACTION[part])
    for name, told in ACTION["inputs"].items():
        if name not in {"token", "base"}:
            assert f"| `{name}` | `{told['default']}` |" in page


def test_every_file_is_linked() -> None:
    targets = set(links(read("docs/ci.md")))
    assert {"../action.yml", "../deploy/gitlab-ci.yml", "../.pre-commit-hooks.yaml"} <= targets


def test_a_word_that_is_no_job_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["jenkins"])
    assert ended.value.code == 3
    assert "invalid choice: 'jenkins'" in capsys.readouterr().err
