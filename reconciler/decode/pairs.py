r"""JSON's way to write a character beyond U+FFFF: the escapes of two surrogates, `"\ud83d\ude00"` (RFC 8259, 7).

YAML has no such pairs, and libyaml refuses them. Each half is swapped for the escape of a private character that the
text does not have, in the same width: so all columns stay, and the builder knows the halves again.
"""

from __future__ import annotations

import re
from functools import lru_cache

from yaml import YAMLError
from yaml._yaml import CParser
from yaml.tokens import ScalarToken

_FIRST = 0xD800
"""The first of 2,048 surrogates."""
_BLOCKS = (0xE000, 0xE800, 0xF000)
"""The first of as many private characters (U+E000 to U+F8FF), in the order of preference."""
_PAIR = re.compile(r"(?<!\\)(?:\\\\)*(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")

_BACKSLASH = re.compile(r"\\")


def swap_pairs(data: bytes) -> tuple[bytes, int | None]:
    """The text with other escapes in the place of pairs, and the first of the characters that stand for surrogates."""
    if b"\\ud" not in data and b"\\uD" not in data:
        return data, None
    text = data.decode()
    pairs = [match.start(1) for match in _PAIR.finditer(text)]
    block = next((first for first in _BLOCKS if not _has_any_of(first, text)), None)
    if not pairs or block is None:
        return data, None
    swapped = _swap(text, pairs, block)
    quoted = _find_quoted(swapped)
    return _swap(text, [place for place in pairs if place in quoted], block).encode(), block


def join_pairs(text: str, block: int) -> str:
    """The text of a value, with the characters that its pairs mean."""
    return text.translate(_halves(block)).encode("utf-16-le", "surrogatepass").decode("utf-16-le")


@lru_cache(len(_BLOCKS))
def _halves(block: int) -> dict[int, int]:
    return {block + number: _FIRST + number for number in range(0x800)}


def _has_any_of(first: int, text: str) -> bool:
    prefix = f"{first >> 8:x}"
    escape = f"\\\\(?:u|U0000){prefix[0]}[{prefix[1]}-{int(prefix[1], 16) + 7:x}]"
    return re.search(f"[{chr(first)}-{chr(first + 0x7FF)}]|{escape}", text, re.IGNORECASE) is not None


def _swap(text: str, places: list[int], block: int) -> str:
    parts: list[str] = []
    done = 0
    for place in places:
        high, low = (int(text[at + 2 : at + 6], 16) - _FIRST + block for at in (place, place + 6))
        parts += (text[done:place], f"\\u{high:04x}\\u{low:04x}")
        done = place + 12
    return "".join((*parts, text[done:]))


def _find_quoted(text: str) -> set[int]:
    """The index of every backslash in double quotes: elsewhere it is one."""
    offset = len(text) - len(text.removeprefix("\ufeff"))
    places: set[int] = set()
    scanner = CParser(text.encode())
    try:
        while (token := scanner.get_token()) is not None:
            if isinstance(token, ScalarToken) and token.style == '"':
                start, end = token.start_mark.index + offset, token.end_mark.index + offset
                places.update(match.start() for match in _BACKSLASH.finditer(text, start, end))
    except YAMLError:
        pass  # what stands below is not read either
    finally:
        scanner.dispose()
    return places
