"""How many files a second become documents: the example repository's, and many of one kind."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from benchmarks.measure import Figure, user_files
from reconciler.decode.document import decode, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLE = Path(__file__).parents[1] / "config-repo-example"
USERS = 100
ROUNDS = 25


def files(_folder: Path) -> Iterator[Figure]:
    """Decoding in this process, beside PyYAML's fastest safe loader and what is done for files that are not plain."""
    texts = [file.read_bytes() for file in sorted(EXAMPLE.glob("*/*.yaml"))]
    ours = _per_second(texts, lambda text: decode("f.yaml", text))
    theirs = _per_second(texts, lambda text: yaml.load(text, yaml.CSafeLoader))
    figure, beside, times = f"{ours:,.0f}/s", f"PyYAML's C loader {theirs:,.0f}/s", f"{ours / theirs:.2f} x as fast"
    yield Figure("decode the files of the example", figure, "60,000/s", beside, times)
    users = [text.encode() for text in user_files(USERS).values()]
    plain = _per_second(users, lambda text: decode("f.yaml", text))
    parsed = _per_second(users, lambda text: parse("f.yaml", text))
    figure, beside, times = f"{plain:,.0f}/s", f"by libyaml {parsed:,.0f}/s", f"{plain / parsed:.2f} x as fast"
    yield Figure(f"decode {USERS} users", figure, "60,000/s", beside, times)


def _per_second(texts: list[bytes], read: Callable[[bytes], object]) -> float:
    """The best of several rounds: other work on the machine only ever makes a round slower."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for text in texts * 10:
            read(text)
        best = min(best, time.process_time() - began)
    return len(texts) * 10 / best
