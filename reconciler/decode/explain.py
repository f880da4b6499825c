"""The words for what is wrong with a node: code, message and hint of each problem."""

from __future__ import annotations

_CORE = "tag:yaml.org,2002:"


def not_finite(text: str) -> tuple[str, str, str]:
    """An infinite, undefined or overflowing number."""
    return "not-finite", f"{_shortened(text)} is not a finite number", "write the number itself, such as 0.75"


def escaped_nul() -> tuple[str, str, str]:
    r"""A NUL character, escaped: `"\0"`."""
    return "unsafe-yaml", 'the escape "\\0" puts a NUL character into the value', "use single quotes, or delete it"


def tag(full: str) -> tuple[str, str, str]:
    """A tag that asks for more than plain data."""
    short = f"!!{full.removeprefix(_CORE)}" if full.startswith(_CORE) else full
    message = f"the tag {_shortened(short)} is not allowed: configuration is plain text, numbers, lists and mappings"
    return "unsafe-yaml", message, "delete the tag and write the value itself (in quotes when it is text)"


def recursive() -> tuple[str, str, str]:
    """An anchor that contains an alias to itself."""
    return "unsafe-yaml", "an alias (*name) stands inside the very value that it refers to", "write the value out"


def merge_key() -> tuple[str, str, str]:
    """The merge key of YAML 1.1."""
    message = "the merge key << is not part of YAML 1.2, and readers disagree on what it does"
    return "unsafe-yaml", message, "write the values out in each place"


def complex_key() -> tuple[str, str, str]:
    """A list or a mapping as a key, most often a template left over: `{{ name }}`."""
    message = "a key must be text, not a list or a mapping"
    return "wrong-type", message, "put quotes around text that starts with { or ["


def key_type(text: str) -> tuple[str, str, str]:
    """A number, a boolean or nothing as a key."""
    if not text:
        return "wrong-type", "a key must be text, and this one is empty", "write the field's name before the colon"
    return "wrong-type", f"a key must be text: {_shortened(text)} is not", f'quote it: "{_shortened(text)}"'


def duplicate(key: str, first: int, second: int) -> tuple[str, str, str]:
    """A key twice in one mapping; `first` and `second` are their lines."""
    where = f"on line {first}" if first == second else f"on lines {first} and {second}"
    return "duplicate-key", f"{_shortened(key)} is there twice, {where}", "keep one of them"


def _shortened(text: str) -> str:
    longest = 60
    return text if len(text) <= longest else f"{text[:longest]}…"
