"""How many files a second become documents, on the files of the example repository."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from benchmarks.measure import Figure
from reconciler.decode.document import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLE = Path(__file__).parents[1] / "config-repo-example"
ROUNDS = 25


def files(_folder: Path) -> Iterator[Figure]:
    """Decoding in this process, beside PyYAML's fastest safe loader on the same files."""
    texts = [file.read_bytes() for file in sorted(EXAMPLE.glob("*/*.yaml"))]
    ours = _per_second(texts, lambda text: decode("f.yaml", text))
    theirs = _per_second(texts, lambda text: yaml.load(text, yaml.CSafeLoader))
    figure, beside, times = f"{ours:,.0f}/s", f"PyYAML's C loader {theirs:,.0f}/s", f"{ours / theirs:.2f} x as fast"
    yield Figure("decode the files of the example", figure, "20,000/s", beside, times)


def _per_second(texts: list[bytes], read: Callable[[bytes], object]) -> float:
    """The best of several rounds: other work on the machine only ever makes a round slower."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for text in texts * 10:
            read(text)
        best = min(best, time.process_time() - began)
    return len(texts) * 10 / best
