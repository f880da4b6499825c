"""What the documentation's pages need to become a site: called by MkDocs for each page (`hooks` in mkdocs.yml).

Forges and MkDocs read Markdown in two ways where a table's code holds a `|`, and a site has no files outside docs/.
"""

from __future__ import annotations

import re
from posixpath import dirname, normpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<target>(?:\.\./)+[^)\s]+)\)")
TABLE_CODE = re.compile(r"`[^`\n]*\\\|[^`\n]*`")
DECISIONS = "decisions/index.md"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page as the site has it; that of the decisions lists them."""
    markdown = "\n".join(_unescape_code(line) if line.startswith("|") else line for line in markdown.split("\n"))
    markdown = _replace_links(markdown, page.file.src_uri, config.extra["source_url"].rstrip("/"))
    return markdown + _list_decisions(files) if page.file.src_uri == DECISIONS else markdown


def _unescape_code(line: str) -> str:
    return TABLE_CODE.sub(lambda code: code.group().replace(r"\|", "|"), line)


def _replace_links(markdown: str, page: str, source_url: str) -> str:
    """Links to files outside docs/ lead to the source, or are plain text where its address is not known."""

    def replace(link: re.Match[str]) -> str:
        path = normpath(f"docs/{dirname(page)}/{link['target']}")
        if path.startswith("docs/"):
            return link.group()
        return f"[{link['text']}]({source_url}/{path})" if source_url else link["text"]

    return LINK.sub(replace, markdown)


def _list_decisions(files: Files) -> str:
    folder = dirname(DECISIONS)
    found = (file for file in files.documentation_pages() if dirname(file.src_uri) == folder)
    pages = sorted((file for file in found if file.src_uri != DECISIONS), key=lambda file: file.src_uri)
    titles = (file.content_string.partition("\n")[0].removeprefix("# ") for file in pages)
    rows = (f"| {title.replace('. ', ' | [', 1)}]({file.name}.md) |" for title, file in zip(titles, pages, strict=True))
    return "\n".join(("\n", "| | decision |", "|---|---|", *rows, ""))
