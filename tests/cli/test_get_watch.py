"""`get --watch`: the rows, then each one that changes, until it is interrupted."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from reconciler import answers
from reconciler.cli import watching
from reconciler.cli.main import run
from reconciler.cli.output import Exit
from reconciler.errors import RetryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence


def page(*rows: tuple[str, int]) -> answers.Rows:
    """Rows of a name and a weight."""
    columns = tuple(answers.Column(field=field, unit="") for field in ("id", "weight"))
    found = tuple(
        answers.Row(name=name, path=None, line=None, values={"id": name, "weight": weight}) for name, weight in rows
    )
    return answers.Rows(kind="Thing", key="id", columns=columns, rows=found)


FIRST = page(("ann", 1), ("bob", 2))
LOOKS = (FIRST, FIRST, page(("ann", 1), ("bob", 30)), page(("bob", 30), ("cob", 4)))


def watch(
    looks: Sequence[answers.Rows | RetryLater],
    form: str,
    monkeypatch: pytest.MonkeyPatch,
    ids: Callable[[object], Collection[str]] | None = None,
) -> None:
    """Watch a host that is looked at so often, and then interrupted."""
    left = list(looks)

    def ask(_: object) -> answers.Rows:
        found = left.pop(0)
        if isinstance(found, RetryLater):
            raise found
        return found

    def pause(_: float) -> None:
        if not left:
            raise KeyboardInterrupt

    monkeypatch.setattr(watching.time, "sleep", pause)
    given: Any = SimpleNamespace(host=lambda: None)
    with pytest.raises(KeyboardInterrupt):
        watching.watch_rows(given, watching.Watched(ask, ids), form, ())


SHOWN = {
    "text": ["name  weight", "ann   1", "bob   2", "bob   30", "cob   4", "thing/ann deleted"],
    "name": ["thing/ann", "thing/bob", "thing/bob", "thing/cob", "thing/ann deleted"],
}


@pytest.mark.parametrize("form", SHOWN)
def test_what_changes_is_shown_once(
    form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    watch(LOOKS, form, monkeypatch)
    assert capsys.readouterr().out.splitlines() == SHOWN[form]


def test_as_json_each_line_is_an_object(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    watch(LOOKS, "json", monkeypatch)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["name"], one.get("weight"), one.get("_deleted")) for one in told] == [
        ("ann", 1, None), ("bob", 2, None), ("bob", 30, None), ("cob", 4, None), ("ann", None, True),
    ]  # fmt: skip


def test_what_is_only_selected_no_more_is_not_called_deleted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looks = (page(("ann", 1), ("bob", 1), ("cob", 1)), RetryLater("nobody answers"), page(("cob", 1)))
    watch(looks, "name", monkeypatch, ids=lambda _: {"ann", "cob", "zoe"})
    assert capsys.readouterr().out.splitlines()[3:] == ["thing/ann no longer matches", "thing/bob deleted"]
    watch(looks, "json", monkeypatch, ids=lambda _: {"ann", "cob", "zoe"})
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()[3:]]
    assert [(one["name"], one["_gone"], one["_deleted"]) for one in told] == [("ann", True, False), ("bob", True, True)]


def test_a_daemon_that_goes_away_may_come_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    watch((FIRST, RetryLater("nobody answers"), LOOKS[2]), "name", monkeypatch)
    assert capsys.readouterr().out.splitlines() == ["thing/ann", "thing/bob", "thing/bob"]
    with pytest.raises(RetryLater):
        watching.watch_rows(
            SimpleNamespace(host=lambda: None),  # type: ignore[arg-type]
            watching.Watched(lambda _: (_ for _ in ()).throw(RetryLater("nobody answers"))),
            "name",
            (),
        )


def test_documents_are_not_watched(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["get", "user", "--watch", "-o", "yaml"]) == Exit.FAILED
    assert "--watch cannot go on in yaml" in capsys.readouterr().err
