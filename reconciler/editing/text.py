"""Edits of fields in the text of a YAML file: every byte outside of what was asked for stays as it is.

Each edit replaces, inserts or deletes one span of the text. Afterwards the text is decoded again: it has to say what
was asked for, and nothing else otherwise than before.
"""

from __future__ import annotations

import copy
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, NoReturn

from msgspec import Struct
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from reconciler import canonical
from reconciler.decode.document import decode
from reconciler.editing.page import BLOCK_TEXT, Entry, Page, parts_of
from reconciler.errors import RefusedError
from reconciler.format.flow import INDENT
from reconciler.format.format import kind_of
from reconciler.kinds.kind import is_within, join, value_at
from reconciler.scaffold.yamltext import write_scalar, write_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.canonical import Value
    from reconciler.format.format import KeyOrder
    from reconciler.model.change import Decoded, Document

BY_HAND = "edit the file by hand"
ENVELOPE_DEPTH = 1
"""Keys of a document: `metadata` and `spec` stay when they become empty, what is in them goes."""


class Edit(Struct, frozen=True):
    """A field, by the keys that lead to it, and the value that it is to have, also as YAML on one line.

    `text` is None for a field that is to be left out. What YAML readers disagree on is `ambiguous`: its text has to
    stand as it is for the check to find it.
    """

    keys: tuple[str, ...]
    value: Value = None
    text: str | None = None
    ambiguous: bool = False

    @property
    def pointer(self) -> str:
        return join(self.keys)


def edit_text(path: str, data: bytes, line: int, edits: Sequence[Edit], order: KeyOrder) -> bytes:
    """The bytes of a file with some fields of one document edited: the one that begins on a line, from 1.

    The file has to decode. Raises `RefusedError`, naming the place, where an edit would change more than what is asked
    for: where the value is shared through an anchor, or stands in a way that only a person can edit.
    """
    decoded = decode(path, data)
    number = next(at for at, document in enumerate(decoded.documents) if document.marks[""].line == line)
    ambiguous = decoded.documents[number].ambiguous
    expected = copy.deepcopy(decoded.documents[number].value)
    body = data.decode()
    text = body.removeprefix("\ufeff")
    waiting = list(edits)
    while waiting:
        edit, *waiting = waiting
        if _holds(expected, edit) and not any(is_within(pointer, edit.pointer) for pointer in ambiguous):
            continue
        editor = _Editor(path, text, line, order)
        parts = editor.split(edit)
        if parts is not None:
            waiting = [*parts, *waiting]
            continue
        text = editor.apply(edit)
        _expect(expected, edit)
    after = (body[: len(body) - len(body.removeprefix("\ufeff"))] + text).encode()
    if not _says(decoded, decode(path, after), number, expected, edits):
        fields = ", ".join(".".join(edit.keys) for edit in edits)
        raise RefusedError(
            f"{path}:{line}: this document cannot be edited without changing more than {fields}", hint=BY_HAND
        )
    return after


def _holds(document: Value, edit: Edit) -> bool:
    """Whether a field is as it is to be."""
    try:
        value = value_at(document, edit.pointer)
    except KeyError:
        return edit.text is None
    return edit.text is not None and not edit.ambiguous and canonical.dumps(value) == canonical.dumps(edit.value)


def _expect(document: Any, edit: Edit) -> None:
    """Edit the value of a document. What is empty after something was left out goes as well."""
    owners, owner = [], document
    for key in edit.keys[:-1]:
        owners.append(owner)
        if isinstance(owner, dict) and not isinstance(owner.get(key), (dict, list)):
            owner[key] = {}
        owner = owner[int(key) if isinstance(owner, list) else key]
    last = edit.keys[-1]
    if edit.text is not None:
        owner[int(last) if isinstance(owner, list) else last] = copy.deepcopy(edit.value)
        return
    del owner[last]
    for depth in range(len(owners) - 1, ENVELOPE_DEPTH - 1, -1):
        if owner or isinstance(owners[depth], list):
            break
        owner = owners[depth]
        del owner[edit.keys[depth]]


def _says(before: Decoded, after: Decoded, number: int, expected: Value, edits: Sequence[Edit]) -> bool:
    """Whether a file says what is expected in one document, and what it said before in all others."""
    if len(before.documents) != len(after.documents) or _codes(before) != _codes(after):
        return False
    for at, (old, new) in enumerate(zip(before.documents, after.documents, strict=True)):
        wanted = expected if at == number else old.value
        if canonical.dumps(new.value) != canonical.dumps(wanted):
            return False
        edited = [edit.pointer for edit in edits] if at == number else []
        if _ambiguous(old, edited) != _ambiguous(new, edited):
            return False
    return True


def _codes(decoded: Decoded) -> list[tuple[str, str]]:
    return sorted((problem.code, problem.pointer) for problem in decoded.problems)


def _ambiguous(document: Document, edited: Sequence[str]) -> dict[str, str]:
    return {
        pointer: text
        for pointer, text in document.ambiguous.items()
        if not any(is_within(pointer, outer) for outer in edited)
    }


class _Editor:
    """One edit of one document of a text."""

    def __init__(self, path: str, text: str, line: int, order: KeyOrder) -> None:
        self._path, self._order = path, order
        self._page = Page(text)
        self._root = self._page.root(line - 1)
        self._shared = self._page.find_shared(self._root)

    def split(self, edit: Edit) -> list[Edit] | None:
        """The edits that this one consists of: none where the field is so already; None where it is one by itself."""
        way = self._walk(edit)
        is_there = len(way) > len(edit.keys)
        if edit.text is None:
            return None if is_there else []
        value = way[-1].value
        if not is_there or edit.ambiguous or not isinstance(edit.value, dict) or not edit.value:
            return None
        if not isinstance(value, MappingNode) or value.flow_style or self._page.alias(way[-1]):
            return None
        members = [str(key.value) for key, _ in value.value]
        new = [Edit((*edit.keys, key), item, write_value(item)) for key, item in edit.value.items()]
        return [*new, *(Edit((*edit.keys, key)) for key in members if key not in edit.value)]

    def apply(self, edit: Edit) -> str:
        """The text with the field as it is to be."""
        way = self._walk(edit)
        if edit.text is None:
            return self._remove(way, edit)
        if len(way) > len(edit.keys):
            return self._replace(way[-1], edit, edit.text)
        return self._insert(way[-1], edit.keys[len(way) - 1 :], edit)

    def _walk(self, edit: Edit) -> list[Entry]:
        """The way from the root to the field, as far as it is there."""
        way = [Entry(None, 0, None, self._root)]
        for key in edit.keys:
            found = self._page.child(way[-1].value, key)
            if found is None:
                break
            way.append(found)
        for entry in way[1 : len(edit.keys)]:
            if id(entry.value) in self._shared:
                self._refuse_shared(entry, edit)
        return way

    def _replace(self, entry: Entry, edit: Edit, text: str) -> str:
        page, node = self._page, entry.value
        alias = page.alias(entry)
        if alias is not None:
            return page.cut(page.offset(alias.start_mark), page.offset(alias.end_mark), text)
        self._check_unshared(entry, edit)
        start, end = page.offset(node.start_mark), page.offset(node.end_mark)
        if isinstance(node, ScalarNode):
            if start == end:
                return self._put_behind(entry, text)
            if node.style in BLOCK_TEXT:
                begin, behind = page.indicators(node)
                lines = page.lines_of(page.tokens_of(entry)) - {node.start_mark.line}
                kept = page.rebuild(lines, {})  # they are behind the header
                return f"{kept[:begin]}{text}{kept[behind:]}"
            return page.cut(start, end, text)
        assert isinstance(node, CollectionNode)
        return self._replace_collection(entry, node, edit, text)

    def _replace_collection(self, entry: Entry, node: CollectionNode, edit: Edit, text: str) -> str:
        page = self._page
        if node.flow_style:
            if page.has_comment(node):
                self._refuse(node, edit, "has comments inside of its brackets")
            return page.cut(page.offset(node.start_mark), page.offset(node.end_mark), text)
        if isinstance(node, SequenceNode) and isinstance(edit.value, list) and edit.value and not edit.ambiguous:
            changed = self._replace_items(node, edit.value)
            if changed is not None:
                return changed
        return self._replace_block(entry, edit, text)

    def _replace_items(self, node: SequenceNode, new: list[Value]) -> str | None:
        """A block list with other items: those that stay keep their lines. None where it has more than plain ones."""
        page, lines = self._page, []
        for position, item in enumerate(node.value):
            if not isinstance(item, ScalarNode) or id(item) in self._shared or item.style in BLOCK_TEXT:
                return None
            lines.append(page.lines_of(page.tokens_of(Entry(node, position, None, item))))
        dash = page.dash(node.value[0])
        if page.lines[dash.line][: dash.column].strip():
            return None
        written = [page.text[page.offset(item.start_mark) : page.offset(item.end_mark)] for item in node.value]
        old = [canonical.dumps(decode("", f"- {text}\n".encode()).documents[0].value) for text in written]
        gone: set[int] = set()
        added: dict[int, list[str]] = {}
        matcher = SequenceMatcher(None, old, [canonical.dumps([item]) for item in new], autojunk=False)
        for operation, first, last, begin, end in matcher.get_opcodes():
            if operation == "equal":
                continue
            gone.update(line for some in lines[first:last] for line in some)
            before = max(lines[first - 1]) if first else min(lines[0]) - 1
            added[before] = [f"{' ' * dash.column}- {write_value(item)}" for item in new[begin:end]]
        return page.rebuild(gone, added) if gone or added else page.text

    def _replace_block(self, entry: Entry, edit: Edit, text: str) -> str:
        """A block collection by something on one line: comments on lines of their own stay."""
        page, node = self._page, entry.value
        colon = page.colon(entry.key) if entry.key is not None else None
        if colon is None or node.start_mark.line == colon.start_mark.line:
            self._refuse(node, edit, "stands behind an anchor, a tag or a dash")
        lines = {line for line in page.lines_of(page.tokens_of(entry)) if line > colon.start_mark.line}
        behind = page.offset(colon.end_mark)
        kept = page.rebuild(lines, {})
        return f"{kept[:behind]} {text}{kept[behind:]}"

    def _put_behind(self, entry: Entry, text: str) -> str:
        """A value where there is none."""
        page = self._page
        colon = page.colon(entry.key) if entry.key is not None else None
        if colon is not None:
            place = page.offset(colon.end_mark)
            return page.cut(place, place, f" {text}")
        assert entry.key is not None
        place = page.offset(entry.key.end_mark)
        return page.cut(place, place, f": {text}")

    def _insert(self, entry: Entry, keys: tuple[str, ...], edit: Edit) -> str:
        """A field that is not there, with the mappings around it that are not there either."""
        assert edit.text is not None
        node = entry.value
        if id(node) in self._shared:
            self._refuse_shared(entry, edit)
        if isinstance(node, ScalarNode) and not node.style and node.value in ("", "~", "null", "Null", "NULL"):
            owner = entry.owner
            if node.value or owner is None or owner.flow_style or entry.key is None:
                return self._replace(entry, edit, _in_brackets(keys, edit.text))
            line = entry.key.end_mark.line
            return self._page.rebuild((), {line: _nest(keys, edit.text, entry.key.start_mark.column + INDENT)})
        if not isinstance(node, MappingNode):
            self._refuse(node, edit, "is no mapping")
        if node.flow_style:
            return self._insert_in_brackets(node, keys, edit)
        return self._insert_lines(node, keys, edit)

    def _insert_lines(self, node: MappingNode, keys: tuple[str, ...], edit: Edit) -> str:
        assert edit.text is not None
        page, column = self._page, node.value[0][0].start_mark.column
        before = self._entry_before(node, keys[0], join(edit.keys[: -len(keys)]))
        first: int = node.value[0][0].start_mark.line
        if before is None and page.lines[first][:column].strip():  # its first key stands behind a dash
            before = self._entry_at(node, 0)
        if before is None:
            while first and page.lines[first - 1].lstrip().startswith("#"):  # they are about the present first key
                first -= 1
            return page.rebuild((), {first - 1: _nest(keys, edit.text, column)})
        line = max(page.lines_of(page.tokens_of(before)))
        while line + 1 < len(page.lines) and _is_comment_below(page.lines[line + 1], column):
            line += 1
        return page.rebuild((), {line: _nest(keys, edit.text, column)})

    def _insert_in_brackets(self, node: MappingNode, keys: tuple[str, ...], edit: Edit) -> str:
        assert edit.text is not None
        page = self._page
        member = _in_brackets(keys, edit.text)[1:-1]
        if not node.value:
            start, end = page.offset(node.start_mark), page.offset(node.end_mark)
            brace = page.text.rindex("{", start, end)
            return page.cut(brace, end, f"{{{member}}}")
        before = self._entry_before(node, keys[0], join(edit.keys[: -len(keys)]))
        if before is None:
            place = page.offset(node.value[0][0].start_mark)
            return page.cut(place, place, f"{member}, ")
        place = self._end_in_brackets(before)
        return page.cut(place, place, f", {member}")

    def _entry_before(self, node: MappingNode, key: str, pointer: str) -> Entry | None:
        """The entry that a new one comes behind; None for one that comes first."""
        ranks = self._order.ranks_at(kind_of(self._root), pointer)
        if key not in ranks:
            return self._entry_at(node, len(node.value) - 1)
        known = [(ranks[name.value], at) for at, (name, _) in enumerate(node.value) if name.value in ranks]
        before = [one for one in known if one[0] < ranks[key]]
        return self._entry_at(node, max(before)[1]) if before else None

    def _entry_at(self, node: MappingNode, position: int) -> Entry:
        key, value = node.value[position]
        return Entry(node, position, key, value)

    def _end_in_brackets(self, entry: Entry) -> int:
        """Where an entry of a mapping in brackets ends."""
        page, key = self._page, entry.key
        assert key is not None
        alias, colon = page.alias(entry), page.colon(key)
        if alias is not None:
            return page.offset(alias.end_mark)
        if colon is None:
            return page.offset(key.end_mark)
        return max(page.offset(colon.end_mark), page.offset(entry.value.end_mark))

    def _remove(self, way: list[Entry], edit: Edit) -> str:
        page = self._page
        while len(way) > ENVELOPE_DEPTH + 2 and way[-2].key is not None and _is_alone(way[-1]):
            way.pop()  # the mapping would be empty without it
        entry = way[-1]
        owner, key = entry.owner, entry.key
        if owner is None or key is None:
            self._refuse(entry.value, edit, "is in a list: give the whole list")
        if page.alias(entry) is None:
            self._check_unshared(entry, edit)
        if _is_alone(entry):
            return self._replace(way[-2], edit, "{}")
        if owner.flow_style:
            return self._remove_in_brackets(entry, edit)
        if page.lines[key.start_mark.line][: key.start_mark.column].strip():
            self._refuse(key, edit, "stands behind a dash or a question mark")
        return page.rebuild(page.lines_of(page.tokens_of(entry)), {})

    def _remove_in_brackets(self, entry: Entry, edit: Edit) -> str:
        page, owner, key = self._page, entry.owner, entry.key
        assert isinstance(owner, MappingNode)
        assert key is not None
        if page.has_comment(owner):
            self._refuse(owner, edit, "is in brackets with comments inside")
        if entry.position:
            start = self._end_in_brackets(self._entry_at(owner, entry.position - 1))
            return page.cut(start, self._end_in_brackets(entry), "")
        return page.cut(page.offset(key.start_mark), page.offset(owner.value[1][0].start_mark), "")

    def _check_unshared(self, entry: Entry, edit: Edit) -> None:
        """Refuse to change what aliases elsewhere stand for."""
        for node in _iter_nodes(entry.value, set()):
            if id(node) in self._shared:
                self._refuse_shared(Entry(entry.owner, entry.position, entry.key, node), edit)

    def _refuse_shared(self, entry: Entry, edit: Edit) -> NoReturn:
        why = "is shared through an anchor (&) and its aliases (*): another field would change with it"
        self._refuse(entry.value, edit, why, "write the value out in each place, then set this one")

    def _refuse(self, node: Node, edit: Edit, why: str, hint: str = BY_HAND) -> NoReturn:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        raise RefusedError(f"{self._path}:{line}:{column}: {'.'.join(edit.keys)} cannot be edited: it {why}", hint=hint)


def _iter_nodes(node: Node, seen: set[int]) -> Iterator[Node]:
    if id(node) not in seen:
        seen.add(id(node))
        yield node
        for part in parts_of(node):
            yield from _iter_nodes(part, seen)


def _is_alone(entry: Entry) -> bool:
    return entry.owner is not None and len(entry.owner.value) == 1


def _nest(keys: Sequence[str], text: str, column: int) -> list[str]:
    """The lines of a field and of the mappings around it."""
    *above, last = keys
    lines = [f"{' ' * (column + INDENT * depth)}{write_scalar(key)}:" for depth, key in enumerate(above)]
    return [*lines, f"{' ' * (column + INDENT * len(above))}{write_scalar(last)}: {text}"]


def _in_brackets(keys: Sequence[str], text: str) -> str:
    for key in reversed(keys):
        text = f"{{{write_scalar(key)}: {text}}}"
    return text


def _is_comment_below(line: str, column: int) -> bool:
    """Whether a line is a comment that is indented deeper than a column."""
    text = line.lstrip(" ")
    return text.startswith("#") and len(line) - len(text) > column
