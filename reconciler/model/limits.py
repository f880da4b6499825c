"""How much one commit may bring, so that no repository takes the memory or the time of a host."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Paths that differ from the tree before, or are in a tree that is read whole; megabytes of its files."""

    paths: int = 250_000
    yaml_mb: int = 256

    @property
    def bytes(self) -> int:
        """What `yaml_mb` is in bytes."""
        return self.yaml_mb * MEGABYTE
