"""One word for each thing: the glossary has each once, and the words that were replaced do not come back."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.docs.markdown import ROOT, read

OLD_WORDS = Path("tests/data/old-words.txt")
SEARCHED = ("reconciler", "tests", "benchmarks", "docs", "README.md", "CONTRIBUTING.md")
SUFFIXES = frozenset({".py", ".md", ".sql", ".lua", ".html", ".css", ".js", ".json", ".toml", ".txt", ".yaml", ".yml"})
IDENTIFIER = re.compile(r"[^\W\d]\w*")
ROW = re.compile(r"^\| (?P<word>[^|]+?) \| (?P<meaning>[^|]+?) \|$", re.MULTILINE)
TABLE_HEAD = {"word", "---"}


def _glossary() -> list[str]:
    rows = [row["word"] for row in ROW.finditer(read("docs/glossary.md"))]
    return [word for word in rows if word not in TABLE_HEAD]


def _old_words() -> list[str]:
    lines = read(str(OLD_WORDS)).splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _files() -> list[Path]:
    """Every text file that is committed or about to be, where words are kept; the list itself apart."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *SEARCHED],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    paths = [Path(name) for name in listing.split("\0") if name]
    return [path for path in paths if path.suffix in SUFFIXES and path != OLD_WORDS and (ROOT / path).is_file()]


def _identifiers(path: Path) -> set[str]:
    """The identifiers in a file, and those in its path: names of modules and packages."""
    text = (ROOT / path).read_text(encoding="utf-8", errors="replace")
    return set(IDENTIFIER.findall(text)) | {part for name in path.parts for part in IDENTIFIER.findall(name)}


def test_each_word_of_the_glossary_is_there_once_and_in_order() -> None:
    words = _glossary()
    assert words == sorted(set(words), key=str.lower)
    assert len(words) > 1


def test_no_word_that_was_replaced_has_come_back() -> None:
    old = set(_old_words())
    found = {str(path): sorted(old & _identifiers(path)) for path in _files()}
    assert {path: words for path, words in found.items() if words} == {}


def test_the_list_of_replaced_words_has_each_once_and_in_order() -> None:
    words = _old_words()
    assert words == sorted(set(words))
    assert all(IDENTIFIER.fullmatch(word) for word in words)


def test_the_search_reads_what_it_should() -> None:
    files = _files()
    assert {Path("reconciler/errors.py"), Path("tests/docs/test_glossary.py"), Path("docs/glossary.md")} <= set(files)
    assert OLD_WORDS not in files
    assert "test_glossary" in _identifiers(Path("tests/docs/test_glossary.py"))
