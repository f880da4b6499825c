"""What the references of a schema lead to, and whether following them ends: `$ref`, `$dynamicRef`, `$anchor`, `$id`.

Nothing outside of the file is ever read. A schema may refer back to itself on the way to a smaller value, a list's item
or a field: values are finite. It may not refer to itself about the same value.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin

from msgspec import Struct

from reconciler.kinds.kind import child, value_at
from reconciler.kinds.parts import MEMBERS, SAME_VALUE, Flaw, Same, iter_members, list_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.kinds.parts import Parts

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The meta-schema of the draft, which the engines bring along: a `$ref` to it reads nothing."""

_FRAGMENT = re.compile(r"(?:[A-Za-z0-9/._~!$&'()*+,;=:@?-]|%[0-9A-Fa-f]{2})*")
"""What may stand behind the # of a reference (RFC 3986)."""
_ADDRESS = re.compile(r"[A-Za-z0-9/._~!$&'()*+,;=:@?%-]*")
"""What may stand before it; square brackets are left out, as an address of a network is of no use here."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_HINT = "a $ref names a place in the same file, such as #/$defs/name: nothing outside it is ever read"


class Links(Struct, frozen=True):
    """Where the references of a schema lead: of each part that refers, the pointers of what each one may lead to.

    Only a `$dynamicRef` may lead to several parts, of which the first is the one that its text names. `meta` has the
    parts that refer to the draft's meta-schema. `flaws` are the references that lead nowhere.
    """

    targets: Mapping[str, list[list[str]]]
    meta: frozenset[str]
    flaws: tuple[Flaw, ...]


def find_links(schema: Mapping[str, Any], parts: Parts) -> Links:
    """Follow every reference in a schema whose parts are known."""
    index = _index(parts)
    targets: dict[str, list[list[str]]] = {}
    meta: set[str] = set()
    flaws: list[Flaw] = []
    for pointer, part in parts.items():
        for keyword in ("$ref", "$dynamicRef"):
            if keyword not in part:
                continue
            found = _find_target(schema, parts, index, pointer, part[keyword])
            if isinstance(found, Flaw):
                at = child(pointer, keyword)
                flaws.append(Flaw(at, found.message, found.hint))
            elif found is None:
                meta.add(pointer)
            else:
                anchor = parts[found].get("$dynamicAnchor") if keyword == "$dynamicRef" else None
                named = index.dynamic.get(anchor, ())[:MAX_DYNAMIC] if anchor else ()
                others = [other for other in named if other != found]
                targets.setdefault(pointer, []).append([found, *others])
    for places in index.dynamic.values():
        if len(places) > MAX_DYNAMIC:
            at = child(places[MAX_DYNAMIC], "$dynamicAnchor")
            flaws.append(Flaw(at, f"more than {MAX_DYNAMIC} parts have this name", "give some of them another name"))
    for root in index.twice:
        flaws.append(Flaw(root, "this name is given twice in this file", "give one of the two another name"))
    return Links(targets, frozenset(meta), tuple(flaws))


class _Index(Struct, frozen=True):
    """What can be referred to by name. `bases` has the address that the references of each part are relative to."""

    bases: Mapping[str, str]
    resources: Mapping[str, str]
    anchors: Mapping[tuple[str, str], str]
    dynamic: Mapping[str, list[str]]
    twice: tuple[str, ...]


def _index(parts: Parts) -> _Index:
    bases: dict[str, str] = {}
    resources = {"": ""}
    anchors: dict[tuple[str, str], str] = {}
    dynamic: dict[str, list[str]] = {}
    twice: list[str] = []
    inside: dict[str, str] = {"": ""}
    for pointer, part in parts.items():
        base = inside[pointer]
        if "$id" in part:
            base, _, _ = _join(base, part["$id"]).partition("#")
            if resources.setdefault(base, pointer) != pointer and base:
                twice.append(child(pointer, "$id"))
        bases[pointer] = base
        for keyword in ("$anchor", "$dynamicAnchor"):
            if keyword not in part:
                continue
            if anchors.setdefault((base, part[keyword]), pointer) != pointer:
                twice.append(child(pointer, keyword))
            if keyword == "$dynamicAnchor":
                dynamic.setdefault(part[keyword], []).append(pointer)
        inside |= {below: base for _, below, _ in iter_members(pointer, part)}
    return _Index(bases, resources, anchors, dynamic, tuple(twice))


def _join(base: str, text: str) -> str:
    """A reference as an address (RFC 3986, section 5.2); `urljoin` does not know the scheme `urn`."""
    if text.startswith("#"):
        return f"{base}{text}"
    try:
        return text if _SCHEME.match(text) else urljoin(base, text)
    except ValueError:  # one of them is no address, which is told elsewhere
        return text


def _find_target(schema: Mapping[str, Any], parts: Parts, index: _Index, pointer: str, text: str) -> str | Flaw | None:
    """The pointer of what a reference names, None for the meta-schema; a flaw says why there is none."""
    if not _ADDRESS.fullmatch(text.partition("#")[0]):
        return Flaw("", f"{text} has characters that not all readers allow in a reference", _HINT)
    address, _, fragment = _join(index.bases[pointer], text).partition("#")
    root = index.resources.get(address)
    if root is None:
        return None if address == DIALECT and not fragment else Flaw("", f"{text} leads out of this file", _HINT)
    if not _FRAGMENT.fullmatch(fragment):
        hint = "rename what it leads to: letters, digits, - and _; other characters by their bytes, as %22"
        return Flaw("", f"{text} has characters that not all readers allow in a reference", hint)
    if fragment and not fragment.startswith("/"):
        found = index.anchors.get((address, fragment))
        return Flaw("", f"{text} leads nowhere: there is no such $anchor", _HINT) if found is None else found
    return _find_at(schema, parts, root, fragment, text)


def _find_at(schema: Mapping[str, Any], parts: Parts, root: str, fragment: str, text: str) -> str | Flaw:
    """What a JSON Pointer in a reference names, from the part that it starts from."""
    pointer = root + unquote(fragment)
    if unquote(fragment) != fragment and root + fragment in parts:
        hint = "rename what it leads to: letters, digits, - and _"
        return Flaw("", f"{text} has characters that not all readers read alike in a reference", hint)
    if pointer in parts:
        return pointer
    try:
        value_at(schema, pointer)
    except KeyError:
        return Flaw("", f"{text} leads nowhere", _HINT)
    return Flaw("", f"{text} leads to what is no schema", "a $ref names a schema, such as #/$defs/name")


def resolve_refs(schema: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of a schema with its own `$ref` followed; keywords beside it override those it refers to.

    Where that leads nowhere, or in a circle, nothing is known of the part.
    """
    if "$ref" not in part:
        return part
    targets = _targets(Same(schema))
    beside: dict[str, Any] = {}
    seen: set[int] = set()
    while "$ref" in part and id(part) not in seen:
        seen.add(id(part))
        beside = {**{keyword: value for keyword, value in part.items() if keyword != "$ref"}, **beside}
        part = targets.get(id(part), {})
    return {**part, **beside} if beside else part


@lru_cache(maxsize=64)
def _targets(schema: Same) -> Mapping[int, Mapping[str, Any]]:
    """What each part with a `$ref` refers to, by the identity of the part."""
    parts = list_parts(schema.value)
    links = find_links(schema.value, parts)
    return {
        id(parts[pointer]): parts[found[0][0]] for pointer, found in links.targets.items() if "$ref" in parts[pointer]
    }


MAX_DYNAMIC = 100
"""Parts with one name, any of which a dynamic reference may lead to."""

MAX_PARTS = 50_000
"""Parts of a schema with each `$ref` written out: what a file can hold without one."""

MAX_RECURRING = 1_000
"""Parts that lead back to themselves, or to such parts. The meta-schema of the draft has some hundred."""

MAX_OVERLAP = 1_000
"""Parts that one value may have to be compared with. The bundled kinds need fewer than 20."""

MAX_DEPTH = 100
"""Parts inside each other with each `$ref` written out: validators descend by recursion."""

MAX_DATA_DEPTH = 64
"""Values inside each other in a document, which is what the reader of files allows."""

MIN_REACH = 8
"""The same where parts that lead back to themselves in several ways compare each deeper value more often."""

MAX_NESTING = 2_000
"""Parts inside each other for a document of that depth, where parts lead back to themselves."""

_SCALARS_OF_ONE_PART = 10
_META_OVERLAP = 100
"""What the meta-schema compares one value with at most: its eight vocabularies, each with some keywords."""
_OBJECT, _ARRAY = "object", "array"
_UNEVALUATED = {_OBJECT: "unevaluatedProperties", _ARRAY: "unevaluatedItems"}
_ASKED_AGAIN = frozenset({"allOf", "anyOf", "oneOf", "if", "contains"})
"""Keywords whose schemas decide once more, for an `unevaluated…` keyword around them."""
_BESIDE_OTHERS = frozenset({"contains", "patternProperties"})
"""Keywords whose schemas are about members that others are about as well."""
_OF_OBJECTS = frozenset(
    {"properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "propertyNames"}
)


class Extent(Struct, frozen=True):
    """How much there is to a part with each `$ref` written out; `overlap` is about one value at most.

    `again` is what one value is compared with once more where an `unevaluated…` keyword around this part asks which
    members it is about. All that is true of documents with no more than `reach` values inside each other.
    """

    parts: int
    overlap: int
    depth: int
    again: int = 0
    reach: int = MAX_DATA_DEPTH


def find_reference_flaws(schema: Mapping[str, Any], parts: Parts) -> Iterator[Flaw]:
    """References that lead to no schema or in circles; where there are none, a schema that is too large with them."""
    links = find_links(schema, parts)
    yield from links.flaws
    graph = _Graph(parts, links)
    circular = graph.find_circles()
    for pointer, targets in links.targets.items():
        if pointer in circular and any(not circular.isdisjoint(found) for found in targets):
            hint = "let it lead there through items or properties: the value itself stays the same, and this never ends"
            keyword = "$ref" if "$ref" in parts[pointer] else "$dynamicRef"
            yield Flaw(child(pointer, keyword), f"this {keyword} leads back to itself", hint)
    if not circular:
        measure = _measure(graph)
        if isinstance(measure, Flaw):
            yield measure


def measure_schema(schema: Mapping[str, Any]) -> Extent:
    """How much there is to a sound schema. Raises `ValueError` for another one."""
    parts = list_parts(schema)
    measure = _measure(_Graph(parts, find_links(schema, parts)))
    if isinstance(measure, Flaw):
        raise ValueError(measure.message)  # noqa: TRY004 - the value is wrong, and its type is not
    return measure


class _Graph:
    """The parts of a schema and the ways between them: into the same value, and into its members."""

    def __init__(self, parts: Parts, links: Links) -> None:
        self.parts = parts
        self.links = links
        self.inside = {
            pointer: [(keyword, at) for keyword, at, _ in iter_members(pointer, part) if keyword != "$defs"]
            for pointer, part in parts.items()
        }
        self._defined = {
            pointer: [at for keyword, at, _ in iter_members(pointer, part) if keyword == "$defs"]
            for pointer, part in parts.items()
        }

    def same_value(self, pointer: str) -> list[str]:
        """Each part that is about the same value, as often as it is compared with it."""
        return [at for keyword, at in self.inside[pointer] if keyword in SAME_VALUE] + self.referred(pointer)

    def referred(self, pointer: str) -> list[str]:
        """What a part refers to: of a dynamic reference, everything that it may lead to."""
        return [at for found in self.links.targets.get(pointer, ()) for at in found]

    def find_circles(self) -> frozenset[str]:
        """The parts that lead back to themselves about the same value."""
        below = {pointer: self.same_value(pointer) for pointer in self.parts}
        return frozenset(_drop_ways_in(below, below.keys() - set(_order(below))))

    def order(self) -> list[str]:
        """The parts whose ways all end, each behind all that is below it."""
        return _order({pointer: [*self._below(pointer), *self._defined[pointer]] for pointer in self.parts})

    def order_by_value(self, some: set[str]) -> list[str]:
        """Some parts, each behind all of them that are about the same value."""
        return _order({pointer: [at for at in self.same_value(pointer) if at in some] for pointer in some})

    def _below(self, pointer: str) -> list[str]:
        return [at for _, at in self.inside[pointer]] + self.referred(pointer)


def _order(below: Mapping[str, list[str]]) -> list[str]:
    """The parts whose ways down all end, each behind all that is below it."""
    above: dict[str, list[str]] = {pointer: [] for pointer in below}
    for pointer, targets in below.items():
        for target in targets:
            above[target].append(pointer)
    open_ways = {pointer: len(targets) for pointer, targets in below.items()}
    ordered = [pointer for pointer, count in open_ways.items() if not count]
    for pointer in ordered:
        for outer in above[pointer]:
            open_ways[outer] -= 1
            if not open_ways[outer]:
                ordered.append(outer)
    return ordered


def _drop_ways_in(below: Mapping[str, list[str]], endless: set[str]) -> set[str]:
    """Of the parts with ways that never end, those that a way leads back to."""
    entries = dict.fromkeys(endless, 0)
    for pointer in endless:
        for target in below[pointer]:
            if target in entries:
                entries[target] += 1
    dropped = [pointer for pointer, count in entries.items() if not count]
    for pointer in dropped:
        for target in below[pointer]:
            if target in entries:
                entries[target] -= 1
                if not entries[target]:
                    dropped.append(target)
    return endless - set(dropped)


def _measure(graph: _Graph) -> Extent | Flaw:
    """The extent of a whole schema, or the first part that is over a limit."""
    extents: dict[str, Extent] = {}
    for pointer in graph.order():
        extent = extents[pointer] = _extent(graph, pointer, extents)
        flaw = _find_excess(pointer, extent)
        if flaw is not None:
            return flaw
    recurring = set(graph.parts) - set(extents)
    if not recurring:
        return extents[""]
    if len(recurring) > MAX_RECURRING:
        message = f"more than {MAX_RECURRING:,} schemas lead back to themselves, or to such schemas"
        return Flaw("", message, "refer to a definition in fewer places, or let fewer of them recur")
    return _Recurrence(graph, extents, recurring).measure()


def _find_excess(pointer: str, extent: Extent, deepest: int = MAX_DEPTH) -> Flaw | None:
    hint = "refer to a definition in fewer places, or list what it allows in one place"
    if extent.overlap > MAX_OVERLAP:
        message = f"with each $ref written out, one value is compared with more than {MAX_OVERLAP:,} others here"
    elif extent.parts > MAX_PARTS:
        message = f"with each $ref written out, there are more than {MAX_PARTS:,} schemas here"
    elif extent.depth > deepest:
        message = f"with each $ref written out, schemas are nested more than {deepest:,} deep here"
    else:
        return None
    return Flaw(pointer, message, hint)


def _extent(graph: _Graph, pointer: str, extents: Mapping[str, Extent]) -> Extent:
    part = graph.parts[pointer]
    inside = [(keyword, extents[at]) for keyword, at in graph.inside[pointer]]
    inside += [("$ref", extents[at]) for at in graph.referred(pointer)]  # of several only one counts: an upper limit
    one_of = max((extent.overlap for keyword, extent in inside if keyword in MEMBERS), default=0)
    others = sum(extent.overlap for keyword, extent in inside if keyword not in MEMBERS)
    own = _weigh(graph, pointer)
    again = own + sum(extent.overlap for keyword, extent in inside if keyword in _ASKED_AGAIN)
    again += sum(extent.again for keyword, extent in inside if keyword in SAME_VALUE or keyword == "$ref")
    asked = sum(again for keyword in _UNEVALUATED.values() if keyword in part)
    return Extent(
        parts=1 + sum(extent.parts for _, extent in inside),
        overlap=own + one_of + others + asked,
        depth=1 + max((extent.depth for _, extent in inside), default=0),
        again=again,
    )


def _weigh(graph: _Graph, pointer: str) -> int:
    """What one value costs at a part: the part itself, and the values in it that are compared one after the other."""
    part = graph.parts[pointer]
    words: list[Any] = [*part.get("enum", ()), *([part["const"]] if "const" in part else ())]
    if all(isinstance(word, str) for word in words):
        words = []
    nested = sum(_count(word) for word in words if isinstance(word, (dict, list)))
    many = len(words) + sum(len(part.get(keyword, ())) for keyword in ("dependentRequired", "dependencies"))
    return 1 + nested + many // _SCALARS_OF_ONE_PART + (_META_OVERLAP if pointer in graph.links.meta else 0)


def _count(value: Any) -> int:
    if not isinstance(value, (dict, list)):
        return 1
    return 1 + sum(map(_count, value.values() if isinstance(value, dict) else value))


class _Recurrence:
    """How often one value is compared, by its depth, where parts lead back to themselves.

    Each way from a value to its member multiplies: where a part leads back to itself by two ways, a value at depth 20
    would be compared a million times.
    """

    def __init__(self, graph: _Graph, extents: Mapping[str, Extent], recurring: set[str]) -> None:
        self._graph = graph
        self._extents = extents
        self._ordered = graph.order_by_value(recurring)
        self._members = {
            (pointer, type_): [
                (keyword, at)
                for keyword, at in graph.inside[pointer]
                if keyword not in SAME_VALUE and (keyword in _OF_OBJECTS) is (type_ == _OBJECT)
            ]
            for pointer in recurring
            for type_ in (_OBJECT, _ARRAY)
        }
        self._same: dict[str, list[tuple[str, list[str]]]] = {
            pointer: [
                *((keyword, [at]) for keyword, at in graph.inside[pointer] if keyword in SAME_VALUE),
                *(("$ref", found) for found in graph.links.targets.get(pointer, ())),
            ]
            for pointer in recurring
        }
        self._own = {pointer: _weigh(graph, pointer) for pointer in recurring}

    def measure(self) -> Extent | Flaw:
        """The extent of the whole schema for documents as deep as they may be, or the first part over a limit."""
        overlap = 0
        counts: Mapping[str, int] = {}
        depths: Mapping[str, int] = {}
        for level in range(MAX_DATA_DEPTH + 1):
            deeper, nested = self._count(level, counts), self._nest(level, depths)
            if _find_excess("", Extent(0, deeper[""], nested[""]), MAX_NESTING) is not None:
                if level > MIN_REACH:
                    return Extent(len(self._graph.parts), overlap, depths[""], reach=level - 1)
                extents = {pointer: Extent(0, deeper[pointer], nested[pointer]) for pointer in self._ordered}
                flaws = (_find_excess(pointer, extent, MAX_NESTING) for pointer, extent in extents.items())
                return next(flaw for flaw in flaws if flaw is not None)
            counts, depths, overlap = deeper, nested, max(overlap, deeper[""])
        return Extent(len(self._graph.parts), overlap, depths[""])

    def _count(self, level: int, above: Mapping[str, int]) -> dict[str, int]:
        """How often a value `level` steps below one is compared when that one is compared with each part."""
        seen: dict[tuple[str, str], int] = {}
        again: dict[tuple[str, str], int] = {}
        for pointer in self._ordered:
            for type_ in (_OBJECT, _ARRAY):
                at = (pointer, type_)
                if level == 0:
                    seen[at] = again[at] = self._own[pointer]
                else:
                    seen[at], again[at] = self._step(at, level - 1, above)
                for keyword, choices in self._same[pointer]:
                    known = [self._known(one, level) or (seen[one, type_], again[one, type_]) for one in choices]
                    seen[at] += max(first for first, _ in known)
                    again[at] += max((first if keyword in _ASKED_AGAIN else 0) + second for first, second in known)
                asked = again[at] if _UNEVALUATED[type_] in self._graph.parts[pointer] else 0
                seen[at] = min(seen[at] + asked, MAX_OVERLAP + 1)
                again[at] = min(again[at], MAX_OVERLAP + 1)
        return {pointer: max(seen[pointer, _OBJECT], seen[pointer, _ARRAY]) for pointer in self._ordered}

    def _step(self, at: tuple[str, str], level: int, above: Mapping[str, int]) -> tuple[int, int]:
        """The same from a part into the members of its value: a member is a field or another one, not both."""
        counts: dict[str, int] = {}
        several = contained = 0
        for keyword, member in self._members[at]:
            known = self._known(member, level)
            count = known[0] if known else above[member]
            if keyword in _BESIDE_OTHERS:
                several += count
                contained += count if keyword == "contains" else 0
            else:
                counts[keyword] = max(counts.get(keyword, 0), count)
        return max(counts.values(), default=0) + several, contained

    def _known(self, pointer: str, level: int) -> tuple[int, int] | None:
        """The same for a part whose ways all end; None for another one."""
        extent = self._extents.get(pointer)
        if extent is None:
            return None
        return (extent.overlap, extent.again) if level <= extent.depth else (0, 0)

    def _nest(self, level: int, above: Mapping[str, int]) -> dict[str, int]:
        """How deep parts are nested for a value with `level` steps below it."""
        deep: dict[str, int] = {}
        for pointer in self._ordered:
            same = (one for _, choices in self._same[pointer] for one in choices)
            inside = [extent.depth if (extent := self._extents.get(at)) else deep[at] for at in same]
            if level:
                members = (at for type_ in (_OBJECT, _ARRAY) for _, at in self._members[pointer, type_])
                inside += [extent.depth if (extent := self._extents.get(at)) else above[at] for at in members]
            deep[pointer] = 1 + max(inside, default=0)
        return deep
