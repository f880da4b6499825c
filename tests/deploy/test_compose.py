"""deploy/compose: what Compose accepts, who may do what in it, and that both ends of each secret fit."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
import yaml

from reconciler import settings
from tests.deploy.dockerfiles import instructions
from tests.docs.markdown import ROOT, read

if TYPE_CHECKING:
    from types import ModuleType

COMPOSE = ROOT / "deploy" / "compose"
FILE = COMPOSE / "docker-compose.yml"
PROJECT: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = PROJECT["services"]
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(:[-?])?([^}]*)\}")


@pytest.fixture
def maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """make_secrets.py, which writes into a folder of this test."""
    spec = importlib.util.spec_from_file_location("make_secrets", COMPOSE / "make_secrets.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "FOLDER", tmp_path / "secrets")
    return module


@pytest.mark.slow
def test_it_is_a_compose_file(tmp_path: Path) -> None:
    def check(file: Path) -> int:
        program = str(Path(sys.executable).parent / "check-jsonschema")
        command = [program, "--builtin-schema", "vendor.compose-spec", str(file)]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode

    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(FILE.read_text(encoding="utf-8").replace("read_only:", "readonly:"), encoding="utf-8")
    assert (check(FILE), check(wrong)) == (0, 1)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid"} & set(service)
    numbers = service.get("user", "0:0").split(":")
    dockerfile = [one.text for one in instructions(read("Dockerfile")) if one.name == "USER"]
    assert "0" not in numbers or (name == "reconciler" and dockerfile)


def test_only_this_machine_reaches_it() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"reconciler"}
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["reconciler"]["ports"])
    assert SERVICES["reconciler"]["environment"]["RECONCILER_HTTP_LISTEN"].endswith(
        f":{SERVICES['reconciler']['ports'][0].rpartition(':')[2]}"
    )
    assert PROJECT["networks"]["stores"]["internal"] is True
    assert all(SERVICES[name]["networks"] == ["stores"] for name in ("clickhouse", "valkey"))


def test_a_store_that_is_ill_keeps_nothing_from_going_live() -> None:
    waited_for = SERVICES["reconciler"]["depends_on"]
    assert waited_for == {name: {"condition": "service_started"} for name in ("clickhouse", "valkey")}
    assert all("test" in SERVICES[name]["healthcheck"] for name in waited_for)


def test_images_are_pinned_and_can_be_others() -> None:
    for service in SERVICES.values():
        tag = VARIABLE.search(service["image"])
        assert tag
        assert tag[2] == ":-"
        assert re.search(r"\d", tag[3])
        assert "latest" not in service["image"]


def test_variables_of_the_daemon_are_settings_and_secrets_come_from_files() -> None:
    given = SERVICES["reconciler"]["environment"]
    known = {setting.variable: setting for setting in settings.SETTINGS}
    assert set(given) <= set(known)
    assert ("RECONCILER_REDIS_URL" in given) == ("RECONCILER_REDIS_URL" in known), "the line is there, behind a #"
    for variable, value in given.items():
        assert value.startswith("file:/run/secrets/") == known[variable].secret, variable
        if known[variable].secret:
            assert value.rpartition("/")[2] in SERVICES["reconciler"]["secrets"]


def test_what_varies_is_listed_with_its_default() -> None:
    example = dict(line.split("=", 1) for line in read("deploy/compose/.env.example").splitlines() if "=" in line)
    found = {
        name: default for name, sign, default in VARIABLE.findall(FILE.read_text(encoding="utf-8")) if sign == ":-"
    }
    needed = {name for name, sign, _ in VARIABLE.findall(FILE.read_text(encoding="utf-8")) if sign == ":?"}
    assert needed == {"CONFIG_URL"}
    assert {name: value for name, value in example.items() if name not in needed} == found


def test_every_volume_secret_and_file_is_there(maker: ModuleType) -> None:
    assert maker.main() == 0
    mounted = [volume for service in SERVICES.values() for volume in service.get("volumes", ())]
    named = {volume.partition(":")[0] for volume in mounted if not volume.startswith("./")}
    assert named == set(PROJECT["volumes"])
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", ())}
    assert used == set(PROJECT["secrets"])
    files = [secret["file"] for secret in PROJECT["secrets"].values()]
    files += [volume.partition(":")[0] for volume in mounted if volume.startswith("./")]
    for file in files:
        in_secrets = file.startswith("./secrets/")
        assert ((maker.FOLDER.parent if in_secrets else COMPOSE) / file).is_file(), file
    assert {f"./secrets/{path.name}" for path in maker.FOLDER.iterdir()} <= set(files)


def test_both_ends_of_a_password_fit(maker: ModuleType) -> None:
    assert maker.main() == 0
    text = {path.name: path.read_text(encoding="utf-8") for path in maker.FOLDER.iterdir()}
    history, cache = urlsplit(text["history-url"].strip()), urlsplit(text["redis-url"].strip())
    assert (history.scheme, history.hostname, history.port) == ("clickhouse", "clickhouse", 8123)
    users = ElementTree.fromstring(text["clickhouse-users.xml"])
    assert users.find("users/default[@remove]") is not None
    digest = users.findtext(f"users/{history.username}/password_sha256_hex")
    assert hashlib.sha256((history.password or "").encode()).hexdigest() == digest
    assert (cache.scheme, cache.hostname, cache.port) == ("redis", "valkey", 6379)
    assert f"requirepass {cache.password}\n" in text["valkey.conf"]
    assert len({history.password, cache.password, text["webhook-secret"].strip()}) == 3
    assert len(text["webhook-secret"].strip()) >= 32


@pytest.mark.skipif(sys.platform == "win32", reason="there, folders have no mode")
def test_nobody_else_on_the_machine_reads_them(maker: ModuleType) -> None:
    assert maker.main() == 0
    assert maker.FOLDER.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in maker.FOLDER.iterdir()} == {0o644}


def test_secrets_are_made_once(maker: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert maker.main() == 0
    before = {path.name: path.read_bytes() for path in maker.FOLDER.iterdir()}
    assert maker.main() == 0
    assert {path.name: path.read_bytes() for path in maker.FOLDER.iterdir()} == before
    (maker.FOLDER / "redis-url").unlink()
    assert maker.main() == 1
    assert "redis-url missing" in capsys.readouterr().err


def test_secrets_are_not_committed() -> None:
    asked = ["git", "check-ignore", "deploy/compose/secrets/history-url", "deploy/compose/.env"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.stdout.split() == asked[2:]


def test_the_server_of_the_history_reads_its_settings() -> None:
    root = ElementTree.fromstring(read("deploy/compose/clickhouse/server.xml"))
    assert root.tag == "clickhouse"
    assert root.findtext("logger/console") == "1"
    assert root.find("logger/log[@remove]") is not None
