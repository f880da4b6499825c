"""A real daemon does what its OpenAPI document says, whatever it is asked: no 5xx, nothing that is not documented."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from reconciler.service.endpoint import Endpoint, Role
from reconciler.service.endpoints import ENDPOINTS
from tests.support.daemons import running
from tests.support.gitrepo import GitRepo
from tests.web.desk import SETTINGS, Desk, begun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.support.daemons import RunningDaemon

pytestmark = pytest.mark.slow

FEW, MANY = 4, 200
LONGEST = 60.0
"""Seconds for an answer."""
WANTED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
TRIED = [endpoint for endpoint in ENDPOINTS if endpoint.path != "/v1/watch"]
"""A stream has no end; tests/web/test_watch.py follows it."""
THERE = {
    "kind": ("account", "Users", "broker_config"),
    "name": ("cv-eurusd", "fx-majors-01"),
    "revision": ("HEAD", "main~2"),
    "table": ("account", "config_versions"),
    "at": ("HEAD", "2024-01-01T00:03:00Z"),
    "base": ("main~2", "2024-01-01"),
    "head": ("HEAD",),
    "query": ("SELECT * FROM user_config", "SELECT 1 AS a, NULL AS b"),
    "user": ("fx-majors-01",),
}
"""What makes a question that has an answer: of any text hardly one does."""


@dataclass(frozen=True)
class Described:
    """A daemon, and what its document says."""

    desk: Desk
    document: schemathesis.BaseSchema
    session: str

    def try_out(self, endpoint: Endpoint, many: int) -> set[int]:
        """Ask one address in so many ways, and hold each answer against the document; the statuses there were."""
        operation, statuses = self.document[endpoint.path][endpoint.method], set()
        headers = {"Authorization": f"Bearer {self.desk.daemon.client().token}"}
        checks = [CHECKS.get_one(name) for name in WANTED]

        @given(st.data(), st.sampled_from(list(GenerationMode)), st.booleans())
        @settings(max_examples=many, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def asked(data: st.DataObject, mode: GenerationMode, there: bool) -> None:
            case = data.draw(operation.as_strategy(generation_mode=mode))
            if there:
                for given_ in (case.path_parameters, case.query, case.body):
                    _fill(data, given_, {**THERE, "session_id": (self.session,)})
            response = case.call(headers=headers, timeout=LONGEST)
            statuses.add(response.status_code)
            case.validate_response(response, checks=checks)

        asked()
        return statuses


def _fill(data: st.DataObject, given_: Any, there: Mapping[str, Sequence[str]]) -> None:
    for name, values in there.items():
        if isinstance(given_, dict) and name in given_:
            given_[name] = data.draw(st.sampled_from(values))


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    """One for all tests of this file."""
    folder = tmp_path_factory.mktemp("schemathesis")
    repo = begun(GitRepo.create(folder / "desk"))
    with running(repo.path, folder / "state", {**SETTINGS, "REDIS_URL": "embedded"}) as daemon:
        daemon.await_live(repo.git("rev-parse", "main"))
        document = schemathesis.openapi.from_url(f"http://{daemon.client().address}/openapi.json")
        yield Described(Desk(repo, daemon), document, _session(daemon))
        assert "Bug" not in daemon.log()
        assert "Traceback" not in daemon.log()


def _session(daemon: RunningDaemon) -> str:
    """The id of a session that is there."""
    client = daemon.client()
    (owner,) = client.rows("user", "fx-majors-01")["rows"]
    given_ = {"user_id": owner["values"]["user_id"], "ip_address": "203.0.113.7", "device_fingerprint": "phone"}
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
    asked = Request(f"http://{client.address}/v1/sessions", json.dumps(given_).encode(), headers)
    with urlopen(asked, timeout=LONGEST) as answer:
        return str(json.load(answer)["session_id"])


@pytest.mark.parametrize("endpoint", TRIED, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_an_address_does_what_it_says(described: Described, endpoint: Endpoint) -> None:
    assert described.try_out(endpoint, FEW)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_all_do_for_long(described: Described) -> None:
    for endpoint in TRIED:
        assert endpoint.status in described.try_out(endpoint, MANY) or endpoint.role is not Role.READ, endpoint.path
