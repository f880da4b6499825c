"""Whether bytes are a text that everyone sees in the same way: editors, reviewers and YAML readers.

YAML 1.2 section 5.1 says which characters may stand in a file. Beyond that this refuses what a review would not
show (bidirectional controls, CVE-2021-42574), what only some readers take for the end of a line, and encodings
other than UTF-8. A byte order mark at the start and CRLF line ends are fine.
"""

from __future__ import annotations

import codecs
import re

from reconciler.decode.limits import MAX_BYTES
from reconciler.model.problem import Problem

CODE = "unsafe-yaml"

_GOOD_ASCII = bytes([*b"\t\n", *range(0x20, 0x7F)])
_BAD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
_ELSE = ("an invisible control character", "delete it")
_LINE_END = ("a character that only some programs take for the end of a line", "delete it")
_BIDI = ("an invisible character that makes text read differently from what it says", "delete it")
_WHY = {
    "\r": ("a carriage return without a line feed", "save the file with LF or CRLF line ends"),
    "\ufeff": ("a byte order mark that is not at the start of the file", "delete it: files were probably joined"),
    **dict.fromkeys("\x85\u2028\u2029", _LINE_END),
    **dict.fromkeys("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", _BIDI),
}
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_LFS = b"version https://git-lfs.github.com/"


def refusal(path: str, data: bytes) -> Problem | None:
    """Why these bytes are not even looked at as YAML; None when they can be."""
    if len(data) > MAX_BYTES:
        message = f"the file has {len(data):,} bytes; {MAX_BYTES:,} are allowed"
        return Problem(path, 1, 1, CODE, "", message, "spread the documents over several files")
    if data.startswith(_LFS):
        message = "this is a Git LFS pointer, not the file it stands for"
        return Problem(path, 1, 1, CODE, "", message, "keep configuration out of Git LFS (.gitattributes)")
    if not data.translate(None, _GOOD_ASCII):
        return None
    if data.startswith(_WIDE_MARKS) or b"\0" in data[:4]:
        return Problem(path, 1, 1, CODE, "", "the file is UTF-16 or UTF-32", "save it as UTF-8")
    return _bad_character(path, data)


def _bad_character(path: str, data: bytes) -> Problem | None:
    data = data.replace(b"\r\n", b"\n")  # moves no character to another line or column
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode().removeprefix("\ufeff")
        message = f"the file is not UTF-8: byte 0x{data[error.start]:02X} does not belong here"
        return _problem(path, before, message, "save it as UTF-8 (it may be Windows-1252 or Latin-1)")
    found = _BAD.search(text)
    if found is None:
        return None
    what, hint = _WHY.get(found.group(), _ELSE)
    return _problem(path, text[: found.start()], f"{what} (U+{ord(found.group()):04X})", hint)


def _problem(path: str, before: str, message: str, hint: str) -> Problem:
    line = before.count("\n") + 1
    return Problem(path, line, len(before) - before.rfind("\n"), CODE, "", message, hint)
