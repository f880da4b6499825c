"""A host whose policy engine follows every step decides like one that gives it everything each time."""

from __future__ import annotations

import json
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.adapters.bundled import find_example_repository
from reconciler.reconcile.sync import CommitApproval
from reconciler.wiring.policies import policy_engine
from tests.reconcile.test_laws import scratch
from tests.support import configs, world
from tests.support.gitrepo import GitRepo
from tests.support.laws import examples
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.kinds.kind import Kinds
    from reconciler.model.change import Between, Row
    from reconciler.model.problem import Policy, Verdict
    from reconciler.plan import Plan
    from reconciler.ports import PolicyEngine

BROKER_SCHEMA = "schemas/broker.schema.json"
PLAIN = (find_example_repository() / BROKER_SCHEMA).read_text(encoding="utf-8")


def with_note() -> str:
    """The schema of the example's own kind with one more field."""
    schema = json.loads(PLAIN)
    schema["properties"]["spec"]["properties"]["note"] = {"type": "string", "description": "A note.", "maxLength": 40}
    schema["x-reconciler"]["columns"]["note"] = "VARCHAR(40)"
    return json.dumps(schema)


RISK = """SELECT concat(name, ' risks ', risk_per_trade_percent) AS message, 'User' AS kind, name,
    'risk_per_trade_percent' AS field FROM desired.user_config WHERE risk_per_trade_percent > {most}"""
HIGH = """SELECT 'warning' AS severity, 'much' AS message, 'User' AS kind, name FROM desired.user_config
    WHERE risk_per_trade_percent > 0.9"""
GONE = """SELECT concat('there were ', count(*)) AS message, 'warning' AS severity FROM main.user_config
    HAVING count(*) > (SELECT count(*) FROM desired.user_config WHERE path IS NOT NULL)"""
MOVED = """SELECT 'warning' AS severity, 'User' AS kind, new.name, concat(old.risk_per_trade_percent, ' <') AS message
    FROM desired.user_config AS new LEFT JOIN main.user_config AS old USING (user_id)
    WHERE new.risk_per_trade_percent IS DISTINCT FROM old.risk_per_trade_percent"""
ALL = """SELECT string_agg(concat(name, log_level, path, created_commit, updated_at), ' ' ORDER BY name) AS message,
    'warning' AS severity FROM desired.system_config"""
RULES = [RISK.format(most=1), RISK.format(most=3), HIGH, GONE, MOVED, ALL]
START: dict[str, str | None] = {
    "policies/one.sql": RISK.format(most=3),
    "policies/two.sql": MOVED,
    "policies/three.sql": HIGH,
    "policies/four.sql": ALL,
    "a.yaml": configs.user("ann", risk=1.0),
    "b.yaml": configs.user("bob", risk=1.0),
    "d.yaml": configs.system("one"),
}

risks = st.sampled_from([0.5, 1.0, 2.0, 4.0])
users = st.tuples(st.just("a.yaml"), st.builds(configs.user, st.just("ann"), risk=risks))
others = st.tuples(
    st.sampled_from(["b.yaml", "c.yaml"]), st.builds(configs.user, st.sampled_from(["bob", "cai"]), risk=risks)
)
systems = st.tuples(st.sampled_from(["d.yaml", "e.yaml"]), st.builds(configs.system, st.sampled_from(["one", "two"])))
odd = st.tuples(st.sampled_from(["a.yaml", "b.yaml", "d.yaml"]), st.sampled_from([None, None, configs.BROKEN]))
rules = st.tuples(
    st.sampled_from(["policies/one.sql", "policies/two.sql", "policies/five.sql"]),
    st.sampled_from([None, *RULES, "SELECT", "SELECT x FROM y"]),
)
schemas = st.tuples(st.just(BROKER_SCHEMA), st.sampled_from([PLAIN, with_note()]))
files = st.one_of(users, users, others, users, others, systems, odd, rules, schemas)


@dataclass(frozen=True)
class Push:
    """Some commits at once; first the branch may go back. `approved` is the head, if anybody consents to it."""

    commits: tuple[dict[str, str | None], ...]
    back: int = 0
    approved: bool = False


pushes = st.builds(
    Push,
    st.lists(st.lists(files, min_size=1, max_size=2).map(dict), min_size=1, max_size=2).map(tuple),
    st.sampled_from([0, 0, 0, 0, 1, 2]),
    st.sampled_from([False, False, True]),
)


class Forgetful:
    """An engine that does not hear what changed."""

    def __init__(self, engine: PolicyEngine) -> None:
        self._engine = engine

    def run(
        self,
        policies: Sequence[Policy],
        kinds: Kinds,
        live: Iterable[Row],
        desired: Iterable[Row],
        step: Between | None = None,
    ) -> tuple[Verdict, ...]:
        """The verdicts."""
        del step
        return self._engine.run(policies, kinds, live, desired)

    def rest(self) -> None:
        """Let go."""
        self._engine.close_idle()


@pytest.fixture(scope="module")
def engines() -> Iterator[tuple[PolicyEngine, PolicyEngine]]:
    """One that follows, one that does not."""
    with policy_engine() as warm, policy_engine() as cold:
        yield warm, Forgetful(cold)


@contextmanager
def judged_by(engine: PolicyEngine) -> Iterator[None]:
    with patch.object(world, "engine", lambda: nullcontext(engine)):
        yield


def attempt(host: World, engine: PolicyEngine, approval: CommitApproval | None) -> Plan:
    with judged_by(engine):
        return host.attempt(approval).plan


@settings(max_examples=examples(6, quick=1), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(pushes, min_size=4, max_size=7))
def test_following_and_starting_over_come_to_the_same(
    engines: tuple[PolicyEngine, PolicyEngine], history: list[Push]
) -> None:
    warm, cold = engines
    with scratch() as folder:
        repo = GitRepo.create(folder)
        line = [repo.commit(START)]
        following, anew = World(folder, rows_per_lookup=0), World(folder)
        for push in history:
            del line[max(1, len(line) - push.back) :]
            for commit in push.commits:
                line.append(repo.commit(commit, parents=[line[-1]]))
            plans = [attempt(following, warm, None), attempt(anew, cold, None)]
            if push.approved:
                approval = CommitApproval(line[-1], "teo") if plans[0].refused and _is_valid(anew, line[-1]) else None
                plans += [attempt(following, warm, approval), attempt(anew, cold, approval)]
            assert plans[0].problems == plans[1].problems
            assert plans[-2].problems == plans[-1].problems
            assert following.rows() == anew.rows()


def _is_valid(host: World, commit: str) -> bool:
    version = host.ledger.version(commit)
    return version is not None and version.status == "VALID"
