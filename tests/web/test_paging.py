"""Lists in pages: every row once and in order, whatever is committed between two of them."""

from __future__ import annotations

import base64
import json
from contextlib import nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reconciler import answers
from reconciler.answers import Row
from reconciler.errors import UsageError
from reconciler.service.cursors import ROWS
from reconciler.service.limits import MAX_PAGE
from reconciler.service.rows import Rows, _past_page
from reconciler.wiring.bundled import bundled_kinds
from tests.support.daemons import running
from tests.support.gitrepo import GitRepo
from tests.web.desk import SETTINGS, Desk, begun, example_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.kinds.kind import Kind

pytestmark = pytest.mark.slow

LISTS = {
    "/v1/resources/user": "rows",
    "/v1/resources/account": "rows",
    "/v1/resources/account?at=HEAD~1": "rows",
    "/v1/resources/user/fx-majors-01/history": "changes",
    "/v1/history": "changes",
    "/v1/versions": "versions",
    "/v1/versions?author=ann": "versions",
    "/v1/versions?status=valid": "versions",
    "/v1/versions?kind=user&name=fx-majors-01": "versions",
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A daemon with some history."""
    folder = tmp_path_factory.mktemp("paging")
    repo = begun(GitRepo.create(folder / "desk"))
    with running(repo.path, folder / "state", SETTINGS) as daemon:
        head = repo.git("rev-parse", "main")
        daemon.await_live(head)
        yield Desk(repo, daemon)


def _paged(path: str, size: int) -> str:
    return f"{path}{'&' if '?' in path else '?'}limit={size}"


@pytest.mark.parametrize("path", LISTS)
def test_pages_are_the_whole(desk: Desk, path: str) -> None:
    whole = desk.ask(_paged(path, 1_000))[0]
    assert whole["next"] is None
    rows = whole[LISTS[path]]
    assert len(rows) > 1
    for size in (max(2, len(rows) // 3), len(rows)):
        pages = list(desk.pages(_paged(path, size), LISTS[path]))
        assert [len(one) for one in pages[:-1]] == [size] * (len(pages) - 1)
        assert [row for one in pages for row in one] == rows


def test_without_a_limit_all_rows_come(desk: Desk) -> None:
    answer, headers = desk.ask("/v1/resources/account")
    assert (len(answer["rows"]), answer["next"], "link" in headers) == (8, None, False)


def test_commits_in_between_move_nothing(desk: Desk) -> None:
    files = example_files()
    sizes = dict.fromkeys(LISTS, 2) | {"/v1/history": 12}
    walks = {path: desk.pages(_paged(path, sizes[path]), LISTS[path]) for path in LISTS if "at=" not in path}
    wholes = {path: desk.ask(_paged(path, 1_000))[0][LISTS[path]] for path in walks}
    found = {path: list(next(walk)) for path, walk in walks.items()}
    added = {"accounts/aa-first.yaml": "aaaaaaaa", "accounts/zz-last.yaml": "ffffffff"}
    text = str(files["accounts/cv-eurusd.yaml"])
    more = {name: text.replace("cv-eurusd", name[9:-5]).replace("d7df3d7e", digits) for name, digits in added.items()}
    desk.commit(more, "Two more")
    desk.commit({"accounts/cv-eurusd.yaml": None, "accounts/cv-gbpusd.yaml": None}, "Two less")
    for path, walk in walks.items():
        found[path] += [row for one in walk for row in one]
    for path, rows in found.items():
        if LISTS[path] != "rows":
            assert rows == wholes[path], path
    names = [row["name"] for row in found["/v1/resources/account"]]
    assert names == sorted(set(names)), "none twice, in order"
    assert "zz-last" in names
    assert "aa-first" not in names, "its place had gone by"


def test_a_rewritten_branch_breaks_no_walk(desk: Desk) -> None:
    desk.commit({"README.md": "soon gone"}, "Soon gone")
    walk = desk.pages("/v1/versions?limit=3", "versions")
    gone, *seen = (one["commit"] for one in next(walk))
    desk.commit({"README.md": "another end"}, "Instead", parents=[desk.repo.git("rev-parse", "main~1")])
    rest = [one["commit"] for page_ in walk for one in page_]
    now = [one["commit"] for one in desk.ask("/v1/versions?limit=1000")[0]["versions"]]
    assert now[1:] == [*seen, *rest]
    again = desk.pages("/v1/versions?limit=1", "versions")
    assert next(again)[0]["commit"] == now[0]
    desk.commit({"README.md": "a third end"}, "Instead of that", parents=[now[1]])
    assert [one["commit"] for page_ in again for one in page_] == now[1:], (
        "what it was at is gone, not what comes after"
    )
    assert gone not in now


def _text(*place: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


@pytest.mark.parametrize("path", ["/v1/resources/user", "/v1/history", "/v1/versions", "/v1/versions?author=ann"])
@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%C3%A9",
        "a" * 3_000,
        _text(),
        _text("other"),
        _text("rows", 1, 2, 3),
        _text("rows", "a", True),
        _text("rows", "\ud800", "x"),
        _text("rows", None, "x"),
        _text("changes", -1, 0, "User", "a", "b"),
        _text("changes", 1, 7, "User", "a", "b"),
        _text("changes", 10**30, 0, "User", "a", "b"),
        _text("changes-of", 1, 0, "a", "b"),
        _text("versions", 1, 0, "a"),
        _text("versions", True, 1, "a"),
        _text("found", "soon", 1, "a"),
        _text("found", "9999-12-31T23:59:59-23:00", 1, "a"),
        _text("found", "2026-01-01T00:00:00Z", 2**40, "a"),
        base64.urlsafe_b64encode(b"[" * 1_000).decode(),
    ],
)
def test_a_cursor_from_elsewhere_is_refused(desk: Desk, path: str, cursor: str) -> None:
    answer, _ = desk.ask(f"{_paged(path, 2)}&cursor={cursor}", 422)
    assert answer["error"]["message"] == "this cursor is none of this address"
    assert "`next`" in answer["error"]["hint"]


def test_a_cursor_of_one_list_is_none_of_another(desk: Desk) -> None:
    cursors = {path: desk.ask(_paged(path, 1))[0]["next"] for path in LISTS}
    classes = {path: json.loads(base64.urlsafe_b64decode(f"{text}==="))[0] for path, text in cursors.items()}
    for path in LISTS:
        for other, cursor in cursors.items():
            same = classes[path] == classes[other]
            desk.ask(f"{_paged(path, 1)}&cursor={cursor}", 200 if same else 422)


class Asked:
    """A store without rows that notes which it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def kinds(self) -> dict[str, Any]:
        """Those of the program."""
        return {}

    def live(self, kind: Kind) -> tuple[Any, ...]:
        """All."""
        self.asked.append((kind.name,))
        return ()

    def live_after(self, kind: Kind, place: object, many: int) -> tuple[Any, ...]:
        """Some."""
        self.asked.append((kind.name, place, many))
        return ()


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"limit": 5}, ("User", None, 6)),
        ({"limit": 999_999}, ("User", None, MAX_PAGE + 1)),
        ({"cursor": _text(ROWS, "a", "x")}, ("User", ("a", "x"), MAX_PAGE + 1)),
        ({}, ("User",)),
    ],
)
def test_a_page_has_so_many_at_most(given: dict[str, Any], asked: tuple[Any, ...]) -> None:
    """One more than the page has is looked for: whether there is another page."""
    store = Asked()
    context: Any = SimpleNamespace(open_rows=lambda: nullcontext(store), bundled=bundled_kinds())
    assert Rows(context).page("user", **given).rows == ()
    assert store.asked == [asked]


def test_namesakes_have_places_of_their_own() -> None:
    rows = [
        Row(name=name, path=path, line=None, values={"id": id_})
        for name, path, id_ in (("a", None, "0"), ("a", "a.yaml", "1"), ("a", None, "2"), ("b", "b.yaml", "0"))
    ]
    answer = answers.Rows(kind="Thing", key="id", columns=(), rows=tuple(rows[::-1]))
    walked, cursor = list[Row](), None
    for _ in rows:
        found = _past_page(answer, "", 1, cursor)
        walked += found.rows
        cursor = found.next
    assert (walked, cursor) == (rows, None)
    assert _past_page(answer, "", None, None).next is None


def test_pages_of_another_order_keep_it() -> None:
    rows = tuple(Row(name=name, path=None, line=None, values={"id": name}) for name in "cab")
    answer = answers.Rows(kind="Thing", key="id", columns=(), rows=rows)
    first = _past_page(answer, "mark", 2, None)
    rest = _past_page(answer, "mark", 2, first.next)
    assert (first.rows + rest.rows, rest.next) == (rows, None)
    with pytest.raises(UsageError):
        _past_page(answer, "", 2, first.next)
