"""Several hosts and clusters: who is asked, what is sent, and what a login has to be granted for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.clickhouse import connection as driver
from reconciler.adapters.clickhouse.ledger import ClickHouseLedger, open_ledger
from reconciler.adapters.clickhouse.server import CONSISTENT_READS, COPY_SETTINGS, definition_settings, insert_settings
from reconciler.errors import NeedsHuman, RetryLater
from reconciler.kinds.kind import Column, Kinds, SqlType
from reconciler.ledger.connection import RecordedBranch
from reconciler.model.rows import QueryLimits
from reconciler.tables.clickhouse import VERSIONS, Placement, create_database
from tests.adapters.ledger.conftest import IMPATIENT
from tests.adapters.ledger.test_events import event
from tests.adapters.ledger.versions import created, sha, version
from tests.support.kinds import GADGET, KINDS, WIDGET_COLUMNS, FixedClock, make_kind, widget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.fronts import RunningFront

ROOT = Path(__file__).parents[3]
CLUSTER = "?cluster=desk&engine=Replicated"


def opened(url: str) -> ClickHouseLedger:
    recorded = RecordedBranch("origin", "main")
    return open_ledger(url, Path("unused"), recorded, FixedClock(), timeouts=IMPATIENT._replace(read=20))


@pytest.fixture
def database(front: RunningFront, databases: Iterator[int]) -> Iterator[str]:
    """A name for one, which is gone afterwards, as the front's faults are."""
    name = f"cluster{next(databases)}"
    yield name
    front.fault("", times=0)
    front.drop(name)


def several(front: RunningFront, database: str, *, before: str = "", after: str = "") -> str:
    """The front among other hosts. Its own name differs from test to test, as hosts are remembered."""
    return f"clickhouse://{before}127.0.0.1:{front.port}{after}/{database}{CLUSTER}"


def test_a_host_that_is_down_is_passed_over(front: RunningFront, database: str) -> None:
    with opened(several(front, database, before="127.0.0.1:1,")) as ledger:
        ledger.prepare(KINDS)
        ledger.record([version(1, created(widget("a"), 1))])
    with opened(several(front, database, after=",127.0.0.1:2")) as ledger:
        assert ledger.recorded_commits() == {sha(1): True}
    with pytest.raises(RetryLater, match=r"127\.0\.0\.1:2 did not answer.*; .*127\.0\.0\.1:3 did not answer"):
        opened(f"clickhouse://127.0.0.1:2,127.0.0.1:3/{database}")


@pytest.mark.slow
def test_a_replica_that_lacks_rows_is_passed_over(front: RunningFront, database: str) -> None:
    """Both are one server here, which answers for the first that it has not caught up."""
    url = several(front, database, after=f",localhost:{front.port}")
    with opened(url) as ledger:
        ledger.prepare(KINDS)
        ledger.record([version(1)])
    front.fault("code-289", match="config_versions")
    with opened(url) as ledger:
        assert ledger._connection.place == f"the ClickHouse server at localhost:{front.port}"
        assert ledger.recorded_commits() == {sha(1): True}
        front.fault("code-999", times=9, match="config_versions")
        with pytest.raises(RetryLater, match="cannot answer now"):
            ledger.recorded_commits()
    front.fault("", times=0)
    with opened(url) as ledger:  # the one that failed is asked last
        assert ledger._connection.place == f"the ClickHouse server at 127.0.0.1:{front.port}"
    front.fault("code-289", times=9, match="config_versions")
    with pytest.raises(RetryLater, match=r"lacks what they have.*; .*lacks what they have"):
        opened(url)


@pytest.mark.slow
def test_an_insert_waits_for_that_of_another_host(
    front: RunningFront, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver.time, "sleep", lambda seconds: None)
    with opened(several(front, database)) as ledger:
        ledger.prepare(KINDS)
        front.fault("code-286", times=3, match="INSERT INTO")
        ledger.record([version(1)])
        assert ledger.recorded_commits() == {sha(1): True}
        front.fault("code-286", times=99, match="INSERT INTO")
        with pytest.raises(RetryLater, match="too few replicas") as caught:
            ledger.record([version(2)])
        assert "more than half of the replicas" in caught.value.hint


@pytest.mark.parametrize("code", [159, 341])
def test_a_host_that_is_down_while_tables_are_made_is_for_later(front: RunningFront, database: str, code: int) -> None:
    with opened(several(front, database)) as ledger:
        front.fault(f"code-{code}", match="CREATE TABLE")
        with pytest.raises(RetryLater, match="waits for other hosts to change their tables") as caught:
            ledger.prepare(KINDS)
        assert "every host of the cluster" in caught.value.hint
        ledger.prepare(KINDS)


@pytest.mark.parametrize(("cluster", "told"), [("nobody", "knows no cluster nobody"), ("spread", "has 2 shards")])
def test_a_cluster_that_cannot_hold_a_history(front: RunningFront, database: str, cluster: str, told: str) -> None:
    with (
        opened(several(front, database).replace("desk", cluster)) as ledger,
        pytest.raises(NeedsHuman, match=told),
    ):
        ledger.prepare(KINDS)


def test_tables_of_one_server_are_not_taken_for_replicated_ones(front: RunningFront, database: str) -> None:
    with opened(front.url(database)) as ledger:
        ledger.prepare(KINDS)
    with pytest.raises(NeedsHuman, match=f"has {database}.config_versions for itself"):
        opened(several(front, database))


DDL = Path(ROOT / "tests/golden/ddl/clickhouse-cluster.sql")


@pytest.mark.slow
def test_clickhouse_reads_the_statements(front: RunningFront, database: str) -> None:
    """The golden file of a cluster, and the grants of the docs: parsed by ClickHouse, which runs none of them."""
    statements = [*DDL.read_text().split(";\n"), *";".join(documented_sql()).split(";")]
    with opened(front.url(database)) as ledger:
        for statement in filter(str.strip, statements):
            ledger._connection.ask("SELECT formatQuerySingleLine({sql:String})", sql=statement)
        known = {name for (name,) in ledger._connection.ask("SELECT toString(privilege) FROM system.privileges")}
    assert granted() <= known | {"SELECT"}


def documented_sql() -> list[str]:
    """The SQL of the section on a login's rights."""
    section = (ROOT / "docs/deploy.md").read_text().partition("## A login for the history")[2].partition("\n## ")[0]
    return re.findall(r"```sql\n(.*?)```", section, re.DOTALL)


def granted() -> set[str]:
    """The rights that the docs grant; of SELECT on the system's tables, these."""
    rights: set[str] = set()
    for what, where in re.findall(r"GRANT (?:ON CLUSTER \w+ )?([^;]*?)\s+ON (\S+?)\s+TO", " ".join(documented_sql())):
        words = {word.strip() for word in what.replace("\n", " ").split(",")}
        rights |= {where} if where.startswith("system.") else words
    return {right for right in rights if not right.startswith("system.")}


PRIVILEGES = {
    r"CREATE DATABASE ": "CREATE DATABASE",
    r"CREATE TABLE ": "CREATE TABLE",
    r"ALTER TABLE .* ADD COLUMN ": "ALTER ADD COLUMN",
    r"ALTER TABLE .* MODIFY COLUMN ": "ALTER MODIFY COLUMN",
    r"ALTER TABLE .* MODIFY COMMENT ": "ALTER MODIFY COMMENT",
    r"DROP TABLE ": "DROP TABLE",
    r"INSERT INTO ": "INSERT",
    r"SELECT |WITH |EXPLAIN AST ": "SELECT",
}


@pytest.mark.slow
def test_the_docs_grant_what_is_sent(front: RunningFront, database: str) -> None:
    front.statements()
    with opened(several(front, database)) as ledger:
        ledger.prepare(KINDS)
        ledger._connection.comment(VERSIONS)
        moved = make_kind("Gadget", (Column("other_id", SqlType.UUID), *GADGET.columns))
        wider = (column if column.name != "pieces" else Column("pieces", SqlType.FLOAT) for column in WIDGET_COLUMNS)
        ledger.prepare(Kinds((moved, make_kind("Widget", (*wider, Column("finish", SqlType.UUID))))))
        ledger.record([version(1)])
        ledger.record_events("host", [event(1)])
        ledger.orphan([sha(1)])
        ledger.query("SELECT * FROM versions", QueryLimits(rows=1, seconds=9))
        assert ledger.branches() == ("main",)
        sent = [" ".join(statement.split()) for statement in front.statements()]
    documented = "\n".join(documented_sql())
    used = {
        next((right for pattern, right in PRIVILEGES.items() if re.match(pattern, statement)), statement)
        for statement in sent
    }
    assert used == set(PRIVILEGES.values())
    assert used <= granted() | {"CREATE DATABASE"}  # the database is made by whoever grants
    assert (
        create_database("config_history", Placement("desk")).replace("IF NOT EXISTS ", "").replace("`", "")
        in documented
    )
    looked_at = set(re.findall(r"system\.\w+", "\n".join(sent))) - {"system.one"}
    assert looked_at <= set(re.findall(r"system\.\w+", documented))
    settings = insert_settings(Placement("desk", replicated=True), 1) | definition_settings(
        Placement("desk", replicated=True), 1
    )
    section = (ROOT / "docs/deploy.md").read_text()
    assert [
        name
        for name in (*settings, *COPY_SETTINGS, *CONSISTENT_READS)
        if f"`{name}`" not in section and not name.startswith("send_")
    ] == []
