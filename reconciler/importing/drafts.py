"""The resources that rows of spreadsheets tell of, put together from all rows that name them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler import canonical
from reconciler.importing.hints import read_hints
from reconciler.importing.tables import IncomingRow
from reconciler.kinds.kind import INACTIVE, STATUS_FIELD, SqlType, child
from reconciler.model.change import Key, RowId
from reconciler.model.problem import Problem
from reconciler.scaffold.sample import build_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.canonical import Value
    from reconciler.importing.sheets import Sheet
    from reconciler.kinds.kind import Column, Kind, Kinds, Reference
    from reconciler.model.change import Resource

CONTRADICTION = "contradicting-rows"


@dataclass(frozen=True)
class Origin:
    """The cell that something comes from."""

    sheet: Sheet
    row: int
    column: int

    @property
    def text(self) -> str:
        return self.sheet.address(self.row, self.column)

    def problem(self, code: str, pointer: str, message: str, hint: str = "") -> Problem:
        return Problem(self.sheet.place, self.row, self.column, code, pointer, message, hint)


@dataclass
class Draft:
    """One resource as far as it is known. `is_named` where rows tell no more of it than the name."""

    kind: Kind
    name: str
    origin: Origin
    is_named: bool = False
    spec: dict[str, Value] = field(default_factory=dict)
    groups: dict[str, dict[str, Value]] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    faulty: set[str] = field(default_factory=set)
    statuses: list[str] = field(default_factory=list)

    def put(self, pointer: str, value: Value, origin: Origin) -> None:
        """A value of a cell; another one that is there already is a contradiction."""
        known = self.value(pointer)
        if known is not None and known != value:
            text, before = canonical.text(value), canonical.text(known)
            where = self.origins[pointer].text
            message = f"{self.kind.name} {self.name} has {text} here and {before} in {where}"
            hint = "make them the same, or give the rows two names"
            self.problems.append(origin.problem(CONTRADICTION, pointer, message, hint))
            return
        _, group, name = pointer.split("/", 2) if pointer.count("/") > 1 else ("", pointer[1:], "")
        target = self.spec if group == "spec" else self.groups.setdefault(name.partition("/")[0], {})
        target[name if group == "spec" else name.partition("/")[2]] = value
        self.origins.setdefault(pointer, origin)

    def value(self, pointer: str) -> Value:
        _, group, name = pointer.split("/", 2)
        first, _, rest = name.partition("/")
        return self.spec.get(name) if group == "spec" else self.groups.get(first, {}).get(rest)


class Drafts:
    """All resources that some spreadsheets tell of. `declared` is what the repository holds already."""

    def __init__(self, kinds: Kinds, declared: Mapping[RowId, Resource], new_id: Callable[[], str]) -> None:
        self._kinds, self._declared, self._new_id = kinds, declared, new_id
        self.by_name: dict[Key, Draft] = {}
        self._known = {resource.key: resource for resource in declared.values()}
        self._fillings: dict[Kind, Mapping[str, Value]] = {}
        self._lacking: dict[tuple[str, str], list[Draft]] = defaultdict(list)
        self.otherwise: dict[str, Value] = {}
        self._told: dict[Key, dict[str, Value]] = {}
        """What a reference itself tells of what it names, such as a terminal's path."""
        self._told_at: dict[tuple[Key, str, str], Origin] = {}
        self.filled: dict[tuple[str, str, str], list[Origin]] = defaultdict(list)
        """Where what was filled in, by kind, field and value."""
        self.dropped: dict[tuple[str, str], list[Origin]] = defaultdict(list)
        """References, by kind and role, to what nothing declares and what cannot be made of a name."""

    def find(self, kind: Kind, name: str, origin: Origin) -> Draft:
        """The resource of that name, new or known."""
        draft = self.by_name.setdefault(Key(kind.name, name), Draft(kind, name, origin))
        if draft.is_named:
            draft.is_named, draft.origin = False, origin
        return draft

    def tell(self, key: Key, name: str, text: str, origin: Origin) -> None:
        """What a reference tells of a field of what it names."""
        self._told.setdefault(key, {}).setdefault(name, text)
        self._told_at.setdefault((key, name, text), origin)

    def is_known(self, kind: str, name: str) -> bool:
        return Key(kind, name) in self.by_name or Key(kind, name) in self._known

    def name_of(self, kind: Kind, row_id: str) -> str:
        """The name that the repository has for an id; empty without one."""
        known = self._declared.get(RowId(kind.name, row_id))
        return known.name if known is not None else ""

    def rows(self) -> Iterator[IncomingRow]:
        """Every resource as a row: whole, with its id, and with the ids of those that it refers to."""
        self._name_the_rest()
        ids = {key: self._id(draft) for key, draft in self.by_name.items()}
        for key, draft in self.by_name.items():
            yield self._row(draft, ids[key], ids)

    def problems(self) -> Iterator[Problem]:
        """What new resources must have and nothing says: told once for all that lack it."""
        for (kind, name), drafts in self._lacking.items():
            first = drafts[0]
            column = first.kind.column(name)
            more = f", as have {len(drafts) - 1:,} more" if len(drafts) > 1 else ""
            message = f"{kind} {first.name} has no {name}{more}"
            hint = column.description if column is not None else ""
            yield first.origin.problem("missing-field", child("/spec", name), message, hint)
        for (key, name, text), origin in self._told_at.items():
            other = self._said(key, name)
            if isinstance(other, str) and _folded(other) != _folded(text):
                message = f"{key.kind} {key.name} has {name} {text} here and {other} elsewhere"
                hint = "two of them have one name: give them names in a column of their own"
                yield origin.problem(CONTRADICTION, child("/spec", name), message, hint)

    def _said(self, key: Key, name: str) -> Value:
        """What a field of a resource is by a row, the repository or the first reference to it."""
        draft, known = self.by_name.get(key), self._known.get(key)
        if draft is not None and name in draft.spec:
            return draft.spec[name]
        return known.values.get(name) if known is not None else self._told[key].get(name)

    def _name_the_rest(self) -> None:
        """Drafts for what is only named in references, where a name is enough to make one."""
        for draft in list(self.by_name.values()):
            for reference in draft.kind.references:
                names = draft.groups.get("refs", {}).get(reference.role)
                wanted = names if isinstance(names, list) else [names] if names else []
                left: list[Value] = [name for name in map(str, wanted) if self._declare(reference, name, draft)]
                if left != wanted and wanted:
                    origin = draft.origins[f"/metadata/refs/{reference.role}"]
                    self.dropped[draft.kind.name, reference.role].append(origin)
                if wanted and not left:
                    del draft.groups["refs"][reference.role]
                elif wanted:
                    draft.groups["refs"][reference.role] = left if reference.many else left[0]

    def _declare(self, reference: Reference, name: str, by: Draft) -> bool:
        """Whether there is such a resource, or now is."""
        status = str(by.spec.get(STATUS_FIELD, ""))
        known = self.by_name.get(Key(reference.kind, name))
        if known is not None and known.is_named:
            known.statuses.append(status)
        if self.is_known(reference.kind, name):
            return True
        kind, key = self._kinds.by_name.get(reference.kind), Key(reference.kind, name)
        told = self._told.get(key, {})
        if kind is None or any(self._filling(kind, one) is None for one in _needed(kind) if one.name not in told):
            return False
        origin = by.origins[f"/metadata/refs/{reference.role}"]
        self.by_name[key] = Draft(kind, name, origin, is_named=True, spec={**told}, statuses=[status])
        return True

    def _id(self, draft: Draft) -> str:
        given = draft.spec.get(draft.kind.key)
        if isinstance(given, str):
            return given
        known = self._known.get(Key(draft.kind.name, draft.name))
        return known.id if known is not None else self._new_id()

    def _row(self, draft: Draft, row_id: str, ids: Mapping[Key, str]) -> IncomingRow:
        kind, known = draft.kind, self._declared.get(RowId(draft.kind.name, row_id))
        spec: dict[str, Value] = {kind.key: row_id}
        if known is not None:
            spec |= {name: value for name, value in known.values.items() if value is not None}
        spec |= draft.spec
        self._point(draft, spec, ids)
        if draft.statuses and kind.can_deactivate and STATUS_FIELD not in draft.spec and known is None:
            column = kind.column(STATUS_FIELD)
            active = [word for word in draft.statuses if word and word != INACTIVE and column and word in column.enum]
            spec[STATUS_FIELD] = active[0] if active else INACTIVE
        if known is None:
            self._fill(draft, spec)
        metadata: dict[str, Value] = {"name": draft.name}
        for group in ("labels", "annotations", "refs"):
            before = _group(known, kind, group) if known is not None else {}
            merged = {**before, **draft.groups.get(group, {})}
            if merged:
                metadata[group] = merged
        ordered = {column.name: spec[column.name] for column in kind.columns if column.name in spec}
        return IncomingRow(
            kind,
            draft.origin.sheet.place,
            draft.origin.row,
            ordered,
            metadata,
            tuple(draft.problems),
            frozenset(draft.faulty),
            {
                pointer: (one.row, one.column)
                for pointer, one in draft.origins.items()
                if one.sheet == draft.origin.sheet
            },
        )

    def _point(self, draft: Draft, spec: dict[str, Value], ids: Mapping[Key, str]) -> None:
        """The ids of what is referred to, where the kind has columns for them."""
        for reference in draft.kind.references:
            name = draft.groups.get("refs", {}).get(reference.role)
            target = self._kinds.by_name.get(reference.kind)
            if target is None or not isinstance(name, str) or target.key == draft.kind.key:
                continue
            if draft.kind.column(target.key) is not None and target.key not in draft.spec:
                key = Key(target.name, name)
                spec[target.key] = ids[key] if key in ids else self._known[key].id

    def _fill(self, draft: Draft, spec: dict[str, Value]) -> None:
        for column in _needed(draft.kind):
            pointer = child("/spec", column.name)
            if column.name in spec or pointer in draft.faulty:
                continue
            target = f"{draft.kind.name}.{column.name}"
            value = self.otherwise.get(target)
            value = value if value is not None else self._filling(draft.kind, column)
            if value is None:
                draft.faulty.add(pointer)
                self._lacking[draft.kind.name, column.name].append(draft)
            else:
                spec[column.name] = value
                self.filled[draft.kind.name, column.name, canonical.text(value)].append(draft.origin)

    def _filling(self, kind: Kind, column: Column) -> Value:
        """What a new resource has in a field of which nothing is known; None where only a person can know."""
        if kind not in self._fillings:
            given = read_hints(kind).otherwise
            sample = build_samples(kind, kind.name.lower(), self._new_id()).required["spec"]
            fields = kind.schema["properties"]["spec"]["properties"]
            self._fillings[kind] = {
                one.name: given.get(one.name, fields[one.name].get("default", _cautious(one, sample.get(one.name))))
                for one in _needed(kind)
            }
        return self._fillings[kind].get(column.name)


def _folded(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").casefold()


def _cautious(column: Column, sample: Value) -> Value:
    """A sample where it says something by itself: a number, a word, or no text."""
    is_text = column.type is SqlType.VARCHAR and not column.enum
    return None if column.type in {SqlType.UUID, SqlType.JSON} or (is_text and sample != "") else sample


def _needed(kind: Kind) -> Iterator[Column]:
    return (column for column in kind.columns if column.required and column.name != kind.key)


def _group(known: Resource, kind: Kind, group: str) -> dict[str, Value]:
    if group != "refs":
        return dict(getattr(known, group))
    many = {reference.role for reference in kind.references if reference.many}
    return {role: [*names] if role in many else names[0] for role, names in known.refs.items() if names}
