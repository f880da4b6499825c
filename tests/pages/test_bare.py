"""Pages of hosts that lack something: commits, a history, Redis, git, a valid head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.pages import world
from tests.pages.test_pages import Markup
from tests.support.configs import BROKEN
from tests.support.daemons import until
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.pages.world import Site

pytestmark = pytest.mark.slow

ID = "bfe13562-dae7-5660-82da-24b6330334bd"
"""That of fx-majors-01."""
PAGES = ("/", "/resources", "/resources/user", "/versions", "/drift", "/sessions", "/events", "/host")


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("nothing")
    with world.site(GitRepo.create(folder / "config"), folder / "state") as site:
        yield site


def words(site: Site, page: str) -> str:
    """What a page says; it has to be one, and its twin JSON."""
    shown = site.get(page)
    assert shown.status == 200, shown.text
    assert site.get("/index.json" if page == "/" else f"{page}.json").json["host"]["name"] == "vps-ldn-01"
    return " ".join(Markup(shown.text).words.split())


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("/", "the branch has no commits yet"),
        ("/", "this host keeps no history"),
        ("/resources", "A trader or strategy slot"),
        ("/resources/user", "No row of this kind is live. Make the first one: reconciler new user NAME, then commit"),
        ("/versions", "this host keeps no history set history.url to chdb, duckdb or a ClickHouse server"),
        ("/drift", "The live rows are what git says."),
        ("/sessions", "this host keeps no sessions: redis.url is none"),
        ("/events", "bound"),
        ("/host", "historyoff"),
    ],
)
def test_an_empty_repository_without_anything(nothing: Site, page: str, said: str) -> None:
    assert said in words(nothing, page)


def test_what_is_not_there_is_not_found(nothing: Site) -> None:
    for page in ("/resources/user/ann", "/versions/main", "/resources/broker"):
        assert nothing.get(page).status == 404


def test_an_invalid_head_and_then_no_git(tmp_path: Path) -> None:
    repo = world.desk(tmp_path / "config")
    settings = {"REPOSITORY_POLL_INTERVAL": "1s", "DRIFT_MODE": "report"}
    with world.site(repo, tmp_path / "state", **settings) as site:
        live = repo.git("rev-parse", "main")
        site.daemon.await_live(live)
        repo.commit({"users/broken.yaml": BROKEN}, "Break it")
        site.daemon.await_status(lambda said: said["refused"] is not None)
        assert "The head was refused" in words(site, "/")
        assert "yaml-syntax" in words(site, "/")
        assert "What is live stays live until a commit mends it" in words(site, "/")
        repo.path.rename(tmp_path / "elsewhere")
        site.daemon.await_status(lambda said: bool(said["troubles"]))
        for page in PAGES:
            assert live[:8] in words(site, page)
        assert "fx-majors-01" in words(site, "/resources/user/fx-majors-01")
        assert site.get("/").text.count('<div class="note bad">') == 1
        (tmp_path / "elsewhere").rename(repo.path)


def test_a_row_that_somebody_changed_is_shown_beside_what_git_says(tmp_path: Path) -> None:
    repo = world.desk(tmp_path / "config")
    with world.site(repo, tmp_path / "state", DRIFT_MODE="report") as site:
        site.daemon.await_live(repo.git("rev-parse", "main"))
        tamper(site)
        found = site.get("/drift.json").json
        assert [(one["name"], one["what"], one["fields"]) for one in found["drift"]] == [
            (None, "extra", []),
            ("fx-majors-01", "changed", ["lot_size_value"]),
        ]
        assert "fieldgit sayslive is lot_size_value23" in words(site, "/drift")
        rows = site.get("/resources/user.json").json
        assert {row["name"]: row["drift"]["fields"] for row in rows["rows"] if row["drift"]} == {
            "fx-majors-01": ["lot_size_value"]
        }
        assert "3 percent git says 2" in words(site, "/resources/user")
        assert "unknown to git" in words(site, "/drift")
        said = site.get("/resources/user/fx-majors-01.json").json
        apart = [one for one in said["fields"] if one["column"] and not one["same"]]
        assert [(one["field"], one["live"], one["declared"]) for one in apart] == [("lot_size_value", 3, 2)]
        assert "drifted" in words(site, "/resources/user/fx-majors-01")
        extra = site.get("/resources/note.json?q=00000000-0000").json["rows"]
        assert [(row["name"], row["path"]) for row in extra] == [("00000000-0000-4000-8000-000000000001", None)]
        assert "not in git" in words(site, "/resources/note/00000000-0000-4000-8000-000000000001")
        site.operate("/v1/heal", {"by": "tests"})
        assert site.get("/drift.json").json["summary"] == {}
        healed = words(site, "/resources/user/fx-majors-01")  # this host keeps no history, and tells it all the same
        assert ", healed " in healed
        assert "fieldlive washealed to lot_size_value32" in healed
        assert "this host healed drift: 2 rows" in words(site, "/drift")
        site.operate("/v1/suspend", {"reason": "the `broker` moves"})
        head = world.risk(repo, "0.6")
        site.daemon.await_status(lambda said: bool(said["head"] == head and said["suspended"]))
        waiting = words(site, "/")
        assert f"What waits When it goes on, {head[:8]} will change rows: 0 to create, 1 to update" in waiting
        assert "the broker moves" in waiting
        assert [one["name"] for one in site.get("/index.json").json["waiting"]["changes"]] == ["fx-majors-01"]


def tamper(site: Site) -> None:
    """Write to the live rows as some other program might."""

    def done() -> bool:
        try:
            with duckdb.connect(str(site.daemon.state / "state.duckdb")) as store:
                store.execute(f"UPDATE user_config SET lot_size_value = 3 WHERE user_id = '{ID}'")
                store.execute(
                    "INSERT INTO note_config VALUES ('00000000-0000-4000-8000-000000000001', '<b>', now(), now())"
                )
            return True
        except duckdb.IOException:
            return False

    until(done)
