"""What people type to halt, and what is released: parsing, the file, and what is told."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.duckdb.store import open_store
from reconciler.adapters.haltfile import HaltFile
from reconciler.errors import RetryLater, UsageError
from reconciler.kinds.kind import Kinds
from reconciler.model.halt import Halt, HaltSelector
from reconciler.model.halt import Halts as StandingHalts
from reconciler.report.halts import build_standing, halted_lines, standing_lines
from reconciler.service.halts import HaltChoice, HaltDesk, parse_choice
from reconciler.status import BranchHead, StoreState, describe
from reconciler.values import replace
from reconciler.wiring.bundled import bundled_kinds
from tests.support.kinds import FixedClock, resource, row, step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUNDLED = bundled_kinds()
KINDS = tuple(BUNDLED.kinds)
ANN_ID, BEN_ID = "0000000a-aaaa-4000-8000-000000000001", "0000000b-bbbb-4000-8000-000000000002"
ALL, ANN = HaltChoice(all=True), HaltChoice("user", ("ann", "ben"))


class Noon:
    def now(self) -> datetime:
        return datetime(2026, 11, 30, 12, tzinfo=UTC)


def desk(folder: Path) -> HaltDesk:
    """Without a store that can be read."""

    def busy() -> None:
        raise RetryLater("in use")

    def unreadable() -> nullcontext[None]:
        raise RetryLater("in use")

    return HaltDesk(HaltFile(folder), unreadable, busy, lambda after: None, BUNDLED, Noon())


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (HaltChoice("USERS", ("ben", "ann", "ben")), "User ann ben"),
        (HaltChoice("user_config", label="desk=fx, !old"), "User -l !old,desk=fx"),
        (HaltChoice(label="desk in (fx,metals)"), "-l desk in (fx,metals)"),
        (HaltChoice("account", all=True), "Account --all"),
        (ALL, "--all"),
    ],
)
def test_each_way_is_understood(choice: HaltChoice, told: str) -> None:
    assert str(parse_choice(choice, KINDS)) == told


@pytest.mark.parametrize(
    "choice",
    [
        HaltChoice(),
        HaltChoice("user"),
        HaltChoice("user", ("ann",), all=True),
        HaltChoice(label="desk=fx", all=True),
        HaltChoice(names=("ann",)),
        HaltChoice("usr", ("ann",)),
        HaltChoice("system", all=True),
        HaltChoice(label="=fx"),
        HaltChoice("user", tuple(map(str, range(501)))),
    ],
)
def test_exactly_one_way_of_a_kind_that_can_be_halted(choice: HaltChoice) -> None:
    with pytest.raises(UsageError):
        parse_choice(choice, KINDS)


def test_the_file_is_enough(tmp_path: Path) -> None:
    halted = desk(tmp_path).halt("maren", " the feed ", ANN)
    assert (halted.selector, halted.reason, halted.applied, halted.number) == ("User ann ben", "the feed", False, 1)
    assert any("halts.json" in note for note in halted.notes)
    assert [str(one.selector) for one in HaltFile(tmp_path).read().standing] == ["User ann ben"]


def test_twice_is_once(tmp_path: Path) -> None:
    desk(tmp_path).halt("maren", "first", ALL)
    again = desk(tmp_path).halt("ben", "second", ALL)
    assert (again.by, again.reason, again.number) == ("maren", "first", 1)
    assert "stands already" in again.notes[0]


def test_some_names_are_released_and_the_others_stay(tmp_path: Path) -> None:
    desk(tmp_path).halt("maren", "feed", ANN)
    released = desk(tmp_path).release("maren", "well", HaltChoice("user", ("ann",)))
    assert [one.names for one in released.ended] == [("ann", "ben")]
    assert [one.selector.names for one in HaltFile(tmp_path).read().standing] == [("ben",)]


def test_what_another_halt_covers_is_told(tmp_path: Path) -> None:
    desk(tmp_path).halt("maren", "feed", ANN)
    desk(tmp_path).halt("maren", "all", ALL)
    released = desk(tmp_path).release("maren", "well", ANN)
    assert [note.partition(" stays")[0] for note in released.notes[:2]] == ["ann", "ben"]
    with pytest.raises(UsageError, match="part of another") as error:
        desk(tmp_path).release("maren", "well", ANN)
    assert "--all" in error.value.hint


def test_without_a_selector_the_only_one_is_meant(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing is halted"):
        desk(tmp_path).release("maren", "well", HaltChoice())
    desk(tmp_path).halt("maren", "feed", HaltChoice(label="b=1,a=1"))
    assert desk(tmp_path).release("maren", "well", HaltChoice()).selector == "-l a=1,b=1"
    desk(tmp_path).halt("maren", "feed", ANN)
    desk(tmp_path).halt("maren", "feed", ALL)
    with pytest.raises(UsageError, match="which"):
        desk(tmp_path).release("maren", "well", HaltChoice())
    desk(tmp_path).release("maren", "well", ALL)
    assert HaltFile(tmp_path).read().standing == ()


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_reason_is_needed(tmp_path: Path, reason: str) -> None:
    with pytest.raises(UsageError, match="reason"):
        desk(tmp_path).halt("maren", reason, ALL)
    assert not HaltFile(tmp_path).read().standing


@pytest.mark.parametrize(
    ("halted", "released"),
    [
        (HaltChoice(label="desk in (fx,zz),a=1"), HaltChoice(label="a=1, desk in (zz, fx)")),
        (HaltChoice(label="desk notin (b,a,b)"), HaltChoice(label="desk notin (a,b)")),
        (HaltChoice("venue", ("va", "vb")), HaltChoice("VENUES", ("vb", "va"))),
        (HaltChoice("venues", all=True), HaltChoice("Venue", all=True)),
        (HaltChoice("user", (ANN_ID.upper(),)), HaltChoice("users", (ANN_ID,))),
    ],
)
def test_it_is_released_however_it_is_spelled(tmp_path: Path, halted: HaltChoice, released: HaltChoice) -> None:
    desk(tmp_path).halt("maren", "feed", halted)
    assert "stands already" in " ".join(desk(tmp_path).halt("maren", "feed", released).notes) or halted.names
    desk(tmp_path).release("maren", "well", released)
    assert HaltFile(tmp_path).read().standing == ()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("venue", "Venue", True),
        ("VENUES", "Venue", True),
        ("Status", "status", True),
        ("Statuses", "Status", False),
        ("Venue", "User", False),
        ("s", "User", False),
        ("", "User", True),
    ],
)
def test_a_kind_may_have_been_typed_in_the_plural(one: str, other: str, same: bool) -> None:
    assert HaltSelector(one).is_of(other) is same


@contextmanager
def live_users(folder: Path) -> Iterator[HaltDesk]:
    """With a store of two users, ann and ben."""
    users = Kinds((BUNDLED.kinds.by_name["User"],))
    values = {
        "lot_size_type": "FIXED",
        "lot_size_value": 0.1,
        "risk_per_trade_percent": 0.5,
        "stop_loss_type": "ATR",
        "take_profit_type": "ATR",
        "max_open_trades": 6,
        "trade_direction": "BOTH",
        "status": "ACTIVE",
    }
    with open_store(folder, FixedClock()) as store:
        rows = [
            row(resource(users.members[0], name, {**values, "user_id": row_id}), 1)
            for name, row_id in (("ann", ANN_ID), ("ben", BEN_ID))
        ]
        store.apply(users, step(1, *rows))

        def obey() -> tuple[str, ...]:
            store.obey(users, HaltFile(folder).read())
            return ()

        yield HaltDesk(
            HaltFile(folder),
            lambda: nullcontext(store),
            obey,
            lambda after: None,
            BUNDLED,
            Noon(),
        )


def test_one_unknown_name_keeps_no_other_on(tmp_path: Path) -> None:
    with live_users(tmp_path) as desk:
        halted = desk.halt("maren", "feed", HaltChoice("user", ("ann", "typo")))
        assert (halted.selector, halted.rows) == ("User ann typo", {"User": 1})
        assert halted.notes == ("no User typo is live: it is halted as soon as there is one",)
        with pytest.raises(UsageError, match="nothing was halted"):
            desk.halt("maren", "feed", HaltChoice("user", ("typo", "tyop")))


def test_what_was_typed_while_nothing_could_be_read_is_found_by_its_name(tmp_path: Path) -> None:
    desk(tmp_path).halt("maren", "feed", HaltChoice("user", (ANN_ID.upper(),)))
    with live_users(tmp_path) as reading:
        assert reading.release("maren", "well", HaltChoice("user", ("ann",))).ended
        reading.halt("maren", "feed", HaltChoice("user", ("ben",)))
        assert reading.release("maren", "well", HaltChoice("user", (BEN_ID.upper(),))).ended


def test_rows_that_could_not_be_counted_are_not_said_to_be_none(tmp_path: Path) -> None:
    with live_users(tmp_path) as reading:
        unread = replace(reading, open_rows=desk(tmp_path).open_rows)
        halted = unread.halt("maren", "feed", ALL)
        assert (halted.applied, halted.counted, halted.rows) == (True, False, {})
        assert next(halted_lines(halted)).endswith("Z, and the live rows obey it")
    none = replace(unread, open_rows=nullcontext, obey=tuple).halt("maren", "feed", HaltChoice("account", all=True))
    assert (none.counted, next(halted_lines(none)).endswith(", which covers no live row yet")) == (True, True)


def test_before_the_first_sync_nothing_is_said_to_disobey() -> None:
    standing = StandingHalts().add(Halt("a", HaltSelector(), "feed", "maren", Noon().now()))
    branch = BranchHead("repository", "main", None, shallow=False)
    empty = build_standing(describe(branch, StoreState(), None, Noon().now(), standing))
    assert (empty.applied, "comes switched off" in " ".join(standing_lines(empty))) == (True, True)
