"""What somebody writes with the Python client that was generated: `program.py ADDRESS TOKEN` asks a daemon."""

import json
import sys

from desk_client import AuthenticatedClient, Client
from desk_client.api.live_rows import get_resources_kind, get_resources_kind_name
from desk_client.api.operations import post_sync
from desk_client.api.queries import get_sql
from desk_client.api.this_host import get_status
from desk_client.models import Error, PostSyncBody, QueryResult, RowsPageUser, RowsUser, Status, StatusSync, Sync


def main(address: str, token: str) -> None:
    """Print attributes of the answers as JSON."""
    with Client(f"http://{address}", raise_on_unexpected_status=True) as client:
        status = get_status.sync(client=client)
        page = get_resources_kind.sync("user", client=client, limit=1)
        single = get_resources_kind_name.sync("user", "fx-majors-01", client=client)
        result = get_sql.sync(client=client, query="SELECT 1 AS a")
        refused = get_resources_kind.sync("no-such-kind", client=client)
    with AuthenticatedClient(f"http://{address}", token, raise_on_unexpected_status=True) as operator:
        synced = post_sync.sync(client=operator, body=PostSyncBody(by="program"))
    assert isinstance(status, Status)
    assert isinstance(page, RowsPageUser)
    assert isinstance(single, RowsUser)
    assert isinstance(result, QueryResult)
    assert isinstance(refused, Error)
    assert isinstance(synced, Sync)
    answers = {
        "repository": status.repository,
        "is_synced": status.sync is StatusSync.SYNCED,
        "applied": status.applied and status.applied.commit,
        "page": [page.kind, len(page.rows), page.next_ is not None],
        "risk": single.rows[0].values.risk_per_trade_percent,
        "result": [result.columns[0].name, result.rows],
        "refused": refused.error.code,
    }
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
