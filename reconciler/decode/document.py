"""The way from a file's bytes to its documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from yaml import YAMLError

from reconciler.decode import syntax, text
from reconciler.decode.build import Builder
from reconciler.decode.limits import MAX_RESTARTS, LimitExceededError
from reconciler.decode.parser import parser_for
from reconciler.model.resource import Decoded, Document

if TYPE_CHECKING:
    from reconciler.model.problem import Problem

_DOCUMENT_START = re.compile(rb"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)


def decode(path: str, data: bytes) -> Decoded:
    """The documents of a YAML file, and everything that is wrong with it as YAML.

    Never raises, whatever the bytes are. A document with problems is still among the documents as far as its
    values mean something: of a key that is there twice the first stays, a number that is not finite is None, a
    tagged value is its text. Empty documents are left out. Problems are sorted.
    """
    refused = text.refusal(path, data)
    if refused is not None:
        return Decoded(problems=(refused,))
    builder = Builder(path, may_alias=b"*" in data)
    documents: list[Document] = []
    broken: list[Problem] = []
    try:
        _read_all(path, data, builder, documents, broken)
    except LimitExceededError as limit:
        broken.append(syntax.over_limit(path, limit))
    return Decoded(tuple(documents), tuple(sorted((*builder.problems, *broken))))


def _read_all(path: str, data: bytes, builder: Builder, documents: list[Document], broken: list[Problem]) -> None:
    """Read the documents; where the syntax of one is broken, go on with the one after it."""
    offset = 0
    for _ in range(MAX_RESTARTS + 1):
        error = _read(_from(data, offset), builder, documents)
        if error is None:
            return
        conflict = None if broken else syntax.conflict(path, data)
        if conflict is not None:
            broken.append(conflict)
            return
        problem = syntax.explain(path, data, error)
        if problem not in broken:
            broken.append(problem)
        start = _next_start(data, offset, syntax.noticed_on(error))
        if start is None:
            return
        offset = start


def _read(data: bytes, builder: Builder, documents: list[Document]) -> YAMLError | None:
    """Add the documents up to the end or to the error that is returned. Raises `LimitExceededError`."""
    parser = parser_for(data)
    try:
        while parser.check_node():
            root = parser.get_node()
            assert root is not None
            document = builder.document(root)
            if document.value is not None:
                documents.append(document)
    except YAMLError as error:
        return error
    finally:
        parser.dispose()
    return None


def _from(data: bytes, offset: int) -> bytes:
    """The text from an offset on, in the same lines as before."""
    return b"\n" * data.count(b"\n", 0, offset) + data[offset:] if offset else data


def _next_start(data: bytes, offset: int, line: int) -> int | None:
    """Where the first document after `offset` starts that is not above `line` (from 0); a `---` always starts one."""
    above = sum(len(text) + 1 for text in data.split(b"\n", line)[:line])
    found = _DOCUMENT_START.search(data, max(above, offset + 1))
    return found.start() if found is not None else None
