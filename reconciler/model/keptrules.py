"""The rules of a commit that went live, as a store keeps them: a rollback needs them also where git is gone."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable  # noqa: TC003  msgspec reads the types when it decodes a record

from msgspec import DecodeError, Struct, json, msgpack

from reconciler.errors import NeedsHuman
from reconciler.model.spec import RepositorySpec  # noqa: TC001  the same

SHA1_DIGITS = 40


class RuleFile(Struct, frozen=True):
    """A file of rules as git has it."""

    path: str
    blob: str
    content: bytes

    def check(self) -> None:
        """Raise `NeedsHuman` where the content is not that of the blob: git names a blob by its hash."""
        name = "sha1" if len(self.blob) == SHA1_DIGITS else "sha256"
        made = hashlib.new(name, b"blob %d\0" % len(self.content) + self.content, usedforsecurity=False)
        if made.hexdigest() != self.blob:
            raise NeedsHuman(f"what the store keeps of {self.path} is not what was committed")


class KeptRules(Struct, frozen=True):
    """What `reconciler.yaml` says, and the files of rules: schemas, policies, measures, and itself where it is there.

    A change of `reconciler.yaml` that says the same is not kept.
    """

    id: str
    spec: RepositorySpec
    files: tuple[RuleFile, ...]

    def encode(self) -> bytes:
        """Compressed."""
        return zlib.compress(msgpack.encode(self))

    @classmethod
    def decode(cls, data: bytes) -> KeptRules:
        """Back again. Raises `NeedsHuman` for what was altered."""
        try:
            found = msgpack.decode(zlib.decompress(data), type=cls)
        except (zlib.error, DecodeError) as error:
            raise NeedsHuman(f"what the store keeps of the rules of a commit cannot be read: {error}") from error
        for file in found.files:
            file.check()
        return found


class OfferedRules(Struct, frozen=True):
    """Rules that a store may keep: it reads them only if it has none of this id."""

    id: str
    read: Callable[[], KeptRules]


def rules_id(spec: RepositorySpec, blobs: dict[str, str]) -> str:
    """The same for rules that are the same; `blobs` are by path."""
    return hashlib.sha256(json.encode([spec, sorted(blobs.items())])).hexdigest()
