"""What became of each commit, against a small model that follows a host deed by deed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.history.changes import blame_fields
from reconciler.history.fate import NEVER_LIVE, Fate, HostRecord, judge_fate, live_height, reached_live
from reconciler.history.pages import oldest, weave_in
from reconciler.history.points import merges_above, to_version_row
from reconciler.model.commit import Status
from reconciler.model.intervals import IntervalEnd, LiveInterval
from reconciler.model.refusal import Refusal
from reconciler.model.rows import HistoryChange, HistoryRow, VersionRow
from reconciler.values import replace
from tests.adapters.ledger.versions import created, sha, updated, version
from tests.support.kinds import START, WIDGET, widget
from tests.support.laws import examples
from tests.support.memory.past import values_of

GOOD, BAD, BROKEN = "good", "bad", "broken"
"""What a commit is: valid, refused by a policy while it is the head, invalid."""


@dataclass
class Model:
    """A host: what it was told of each commit, by height. `words` is what a person who watched it would say."""

    words: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    live: int = 0
    held: bool = False
    clock: int = 0
    intervals: dict[str, list[LiveInterval]] = field(default_factory=dict)
    refusals: dict[str, Refusal] = field(default_factory=dict)

    def push(self, *kinds: str) -> None:
        """Some commits arrive at once."""
        for kind in kinds:
            self.kinds.append(kind)
            self.words.append("invalid" if kind == BROKEN else "waiting")
        self.look()

    def look(self) -> None:
        """The host looks at the head, unless it is suspended: the last valid commit goes live or is refused."""
        valid = [height for height, kind in enumerate(self.kinds, 1) if kind != BROKEN]
        if self.held or not valid or valid[-1] <= self.live:
            return
        self.clock += 1
        height = valid[-1]
        at = START + timedelta(seconds=self.clock)
        if self.kinds[height - 1] == BAD:
            self.words[height - 1] = "refused"
            self.refusals[sha(height)] = Refusal(sha(height), at, ("policy/x",), (), 1)
            return
        for passed in range(self.live, height - 1):
            if self.words[passed] == "waiting":
                self.words[passed] = "skipped"
        if self.live:
            self.words[self.live - 1] = "was-live"
            last = self.intervals[sha(self.live)][-1]
            self.intervals[sha(self.live)][-1] = last.end(at, IntervalEnd.REPLACED)
        self.words[height - 1] = "live"
        self.live = height
        self.intervals.setdefault(sha(height), []).append(LiveInterval(height, sha(height), "main", "d", at))

    def approve(self) -> None:
        """Somebody lets the head through."""
        if self.kinds and self.kinds[-1] == BAD and not self.held:
            self.kinds[-1] = GOOD
            self.look()

    def suspend(self, held: bool) -> None:
        self.held = held
        self.look()

    def record(self) -> HostRecord:
        """What the store and the ledger would say."""
        return HostRecord("here", self.intervals, self.refusals, self.live, follows=True, held=self.held)

    def rows(self) -> list[VersionRow]:
        """The versions, by height."""
        return [row(height, kind) for height, kind in enumerate(self.kinds, 1)]

    def expected(self) -> list[str]:
        """The fates in the words of `log`."""
        waiting = "held" if self.held else "pending"
        return [waiting if word == "waiting" else word for word in self.words]


def row(height: int, kind: str = GOOD) -> VersionRow:
    status = Status.INVALID if kind == BROKEN else Status.VALID
    return to_version_row(replace(version(height), status=status), START)


pushes = st.lists(st.sampled_from([GOOD, GOOD, BAD, BROKEN]), min_size=1, max_size=4)
deeds = st.lists(
    st.one_of(
        pushes.map(lambda kinds: ("push", tuple(kinds))),
        st.sampled_from([("approve", ()), ("suspend", ()), ("resume", ())]),
    ),
    max_size=12,
)


@settings(max_examples=examples(200), deadline=None)
@given(deeds)
def test_the_fate_of_each_commit_is_what_a_watcher_saw(done: list[tuple[str, tuple[str, ...]]]) -> None:
    model = Model()
    for deed, kinds in done:
        match deed:
            case "push":
                model.push(*kinds)
            case "approve":
                model.approve()
            case _:
                model.suspend(deed == "suspend")
        record = model.record()
        told = [judge_fate(one, record) for one in model.rows()]
        assert [str(one.fate) for one in told] == model.expected(), deed
        assert sum(one.fate is Fate.LIVE for one in told) == bool(model.live)
        for one in told:
            assert bool(one.refused_by) == (one.fate is Fate.REFUSED)
            assert not (one.intervals and one.fate in NEVER_LIVE)


def test_what_is_beside_the_mainline_or_the_followed_branch_is_skipped() -> None:
    ahead = HostRecord("here", height=1)
    assert judge_fate(row(2), ahead).fate is Fate.PENDING
    assert judge_fate(replace(row(2), mainline=False), ahead).fate is Fate.SKIPPED
    assert judge_fate(replace(row(2), orphaned=True), ahead).fate is Fate.SKIPPED
    assert judge_fate(row(2), replace(ahead, follows=False)).fate is Fate.SKIPPED


def test_what_reached_the_live_rows() -> None:
    assert reached_live([1, 4, 6], [1, 5, 9]) == [True, True, True]
    assert reached_live([1, 4, 6], [1, 6]) == [True, False, True]
    assert reached_live([2, 3], [1, 2]) == [True, False]
    assert reached_live([], [1]) == []
    assert [live_height(height, [2, 5]) for height in (1, 2, 4, 9)] == [None, 2, 2, 5]


def changes_of(*weights: float) -> list[HistoryChange]:
    """A widget by commit, with these weights."""
    made = [created(widget("a", weight=weights[0]), 1)]
    made += [updated(widget("a", weight=weight), 1, height) for height, weight in enumerate(weights[1:], 2)]
    return [
        HistoryChange(HistoryRow(str(change.change.op), "", sha(at), at, values_of(WIDGET, change)), row(at))
        for at, change in enumerate(made, 1)
    ]


def blamed(weights: list[float], live: list[bool]) -> int:
    """The height that set the weight."""
    found = blame_fields(WIDGET, zip(changes_of(*weights), live, strict=True))
    return next(one.version.height for one in found if one.field == "weight")


def test_only_what_was_live_has_set_anything() -> None:
    assert blamed([1, 9, 1], [True, False, True]) == 1
    assert blamed([1, 9, 1], [True, True, True]) == 3
    assert blamed([1, 9, 9], [True, False, True]) == 2
    assert blamed([1, 5, 9], [False, False, True]) == 3
    assert blamed([1, 2, 3, 2], [True, True, False, True]) == 2


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=8),
    st.lists(st.integers(0, 9), max_size=5),
    st.integers(1, 4),
)
@example([9, None, 4, 2], [3, 5, 9], 1)
def test_what_went_live_elsewhere_is_on_one_page_between_what_went_live_here(
    here: list[int | None], there: list[int], limit: int
) -> None:
    """Whatever pages are asked for: each before the first that went live before it, else at the end."""

    def since(one: tuple[str, int, int | None]) -> datetime | None:
        return None if one[2] is None else START + timedelta(hours=one[2])

    own: list[tuple[str, int, int | None]] = [("here", number, hour) for number, hour in enumerate(here)]
    others = [(START + timedelta(hours=hour), ("there", number, hour)) for number, hour in enumerate(sorted(there))]
    shown: list[tuple[str, int, int | None]] = []
    before, starts = None, range(0, len(own) or 1, limit)
    for start in starts:
        page = own[start : start + limit]
        shown += weave_in(page, others, since, before, ends=start == starts[-1])
        before = oldest(page, since, before)
    assert shown == weave_in(own, others, since, None, ends=True)
    assert sorted(shown) == sorted([*own, *(other for _, other in others)])
    for _, number, hour in (one for one in shown if one[0] == "there"):
        at = shown.index(("there", number, hour))
        first = next(
            (one for one, (where, _, then) in enumerate(shown) if where == "here" and _is_less(then, hour)), None
        )
        assert first is None or at < first


def _is_less(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and one < other


def test_what_a_side_branch_changed_waits_and_is_refused_with_its_merge() -> None:
    merge, side = row(3), replace(row(2), mainline=False)
    refusal = Refusal(sha(3), START, ("policy/x",), (), 1)
    ahead = HostRecord("here", height=1, merges={sha(2): merge})
    assert judge_fate(side, ahead).fate is Fate.PENDING
    assert judge_fate(side, replace(ahead, held=True)).fate is Fate.HELD
    refused = judge_fate(side, replace(ahead, refusals={sha(3): refusal}))
    assert (refused.fate, refused.refused_by) == (Fate.REFUSED, ("policy/x",))
    assert judge_fate(side, replace(ahead, merges={sha(2): row(3, BROKEN)})).fate is Fate.INVALID
    assert judge_fate(side, replace(ahead, merges={}, height=3)).fate is Fate.SKIPPED
    was_live = LiveInterval(3, sha(3), "main", "d", START).end(START, IntervalEnd.REPLACED)
    assert judge_fate(side, replace(ahead, intervals={sha(3): [was_live]})).fate is Fate.SKIPPED


class Listed:
    """A ledger with a mainline of five commits, the third and the fifth of which merge one each."""

    def versions(self, *, limit: int, upto: int | None = None) -> tuple[VersionRow, ...]:
        assert upto is None
        aside = {3: replace(row(12), mainline=False, height=2), 5: replace(row(14), mainline=False, height=4)}
        listed = [one for at in (5, 4, 3, 2, 1) for one in (row(at), aside.get(at)) if one is not None]
        return tuple(listed[:limit])


def test_only_the_merges_above_a_host_are_told() -> None:
    ledger: Any = Listed()
    told = {height: {one: by.height for one, by in merges_above(ledger, height).items()} for height in (0, 3, 4, 5)}
    assert told == {0: {sha(12): 3, sha(14): 5}, 3: {sha(14): 5}, 4: {sha(14): 5}, 5: {}}
