"""Other people's text in GitHub and GitLab Markdown: it is shown as it is and does nothing.

Characters that could mean something become numeric references, which CommonMark (section 2.5) never takes for structure
and which hold inside tables too, where a backslash before a pipe is read in two ways.
"""

from __future__ import annotations

import re

from reconciler.report.visible import visible

LONGEST = 200
"""Characters of one text that are shown in a comment."""

_MARKUP = re.compile(
    r"[&<>`*\[\]\\|~$]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # between letters an underscore means nothing
    r"|:(?=//)|(?<=mailto):|(?<=xmpp):|(?<=www)\.",  # links without brackets (GFM, section 6.9)
    re.IGNORECASE,
)
_MENTION = re.compile(rf"(?P<mention>@(?=\w)|#(?=\d))|{_MARKUP.pattern}", re.IGNORECASE)
_PLAIN = re.compile(r"[^`|\\\s](?:[^`|\\]*[^`|\\\s])?")


def prose(text: str, longest: int = LONGEST) -> str:
    """Text within a sentence; a mention or a reference to an issue is cut apart by a space without width."""
    return _MENTION.sub(_reference_or_gap, cut(visible(text), longest))


def code(text: str, longest: int = LONGEST) -> str:
    """Text in the letters of a program: a code span, or its element where the text has what would end a span."""
    shown = cut(visible(text), longest)
    if _PLAIN.fullmatch(shown):
        return f"`{shown}`"
    return f"<code>{_MARKUP.sub(_reference, shown)}</code>"


def cut(text: str, longest: int) -> str:
    """At most so many characters; `…` stands for the rest."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def size(text: str) -> int:
    """Bytes of UTF-8: never fewer than the characters or UTF-16 units that somebody else may count."""
    return len(text.encode("utf-8"))


def _reference_or_gap(found: re.Match[str]) -> str:
    return f"{found[0]}&#8203;" if found["mention"] else _reference(found)


def _reference(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"
