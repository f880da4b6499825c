"""deploy/kubernetes: held against the schema of Kubernetes, and against what image, settings and HTTP really have."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
import yaml

from reconciler import settings
from tests.deploy.dockerfiles import instructions
from tests.docs.markdown import ROOT, read

FILE = ROOT / "deploy" / "kubernetes" / "reconciler.yaml"
SERVICE, SET = list(yaml.safe_load_all(FILE.read_text(encoding="utf-8")))
POD: dict[str, Any] = SET["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
VALUES = {one["name"]: one["value"] for one in CONTAINER["env"]}
KNOWN = jsonschema.Draft202012Validator(json.loads(read("tests/data/kubernetes-1.37.schema.json")))


def test_it_is_what_kubernetes_takes() -> None:
    for resource in (SERVICE, SET):
        KNOWN.validate(resource)
    for break_it in (
        lambda one: one["spec"]["template"]["spec"]["containers"][0].update(livenesProbe={}),
        lambda one: one["spec"]["template"]["spec"]["containers"][0]["readinessProbe"].update(periodSeconds="5s"),
        lambda one: one["spec"].pop("selector"),
    ):
        wrong = copy.deepcopy(SET)
        break_it(wrong)
        assert not KNOWN.is_valid(wrong)


@pytest.mark.parametrize(
    ("probe", "path"), [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")]
)
def test_a_probe_asks_what_the_daemon_answers_without_a_token(probe: str, path: str) -> None:
    assert CONTAINER[probe]["httpGet"] == {"path": path, "port": "http"}
    (line,) = (line for line in read("docs/http.md").splitlines() if f"`GET {path}`" in line)
    assert line.rstrip(" |").endswith("nothing")


def test_all_name_one_port_that_can_be_reached() -> None:
    (port,) = CONTAINER["ports"]
    assert port == {"name": "http", "containerPort": 8642}
    assert VALUES["RECONCILER_HTTP_LISTEN"] == f"0.0.0.0:{port['containerPort']}"
    assert SERVICE["spec"]["ports"] == [{"name": "http", "port": 8642, "targetPort": "http"}]
    labels = SET["spec"]["template"]["metadata"]["labels"]
    assert SERVICE["spec"]["selector"] == SET["spec"]["selector"]["matchLabels"] == labels


def test_it_runs_as_the_user_of_the_image_with_no_more_rights_than_it_needs() -> None:
    (user,) = (one.text for one in instructions(read("Dockerfile")) if one.name == "USER")
    rights = POD["securityContext"]
    assert f"{rights['runAsUser']}:{rights['runAsGroup']}" == user
    assert rights["runAsNonRoot"] is True
    assert CONTAINER["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(POD)


def test_what_it_writes_to_is_mounted_and_has_one_daemon() -> None:
    mounts = {one["mountPath"] for one in CONTAINER["volumeMounts"]}
    assert mounts == {"/var/lib/reconciler", "/tmp", "/run/secrets/reconciler"}
    assert VALUES["RECONCILER_STATE_DIR"].startswith("/var/lib/reconciler/"), "a volume's own folder belongs to root"
    assert SET["spec"]["replicas"] == 1
    assert POD["terminationGracePeriodSeconds"] > 5


def test_each_variable_is_a_setting_and_each_secret_is_in_the_docs() -> None:
    variables = {setting.variable: setting for setting in settings.SETTINGS}
    assert set(VALUES) <= set(variables)
    secrets = {name: value for name, value in VALUES.items() if variables[name].secret}
    page = read("docs/deploy.md")
    for value in secrets.values():
        folder, _, key = value.removeprefix("file:").rpartition("/")
        assert folder == "/run/secrets/reconciler"
        assert f"--from-file={key}" in page
