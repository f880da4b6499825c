"""The rules of a commit as a store keeps them: what was altered there is never taken for what was committed."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import NeedsHuman
from reconciler.model.keptrules import KeptRules, RuleFile, rules_id
from reconciler.model.spec import RepositorySpec

SQL = b"SELECT name FROM desired.user_config WHERE risk_per_trade_percent > 2"
BLOB = hashlib.sha1(b"blob %d\0" % len(SQL) + SQL, usedforsecurity=False).hexdigest()
KEPT = KeptRules(rules_id(RepositorySpec(), {}), RepositorySpec(), (RuleFile("policies/risk.sql", BLOB, SQL),))


def test_what_is_kept_comes_back() -> None:
    assert KeptRules.decode(KEPT.encode()) == KEPT


@pytest.mark.parametrize(
    "data", [b"", b"rules", zlib.compress(b""), zlib.compress(b"\xc1"), zlib.compress(b"\x90"), KEPT.encode()[:-9]]
)
def test_what_cannot_be_read_is_said(data: bytes) -> None:
    with pytest.raises(NeedsHuman, match="cannot be read"):
        KeptRules.decode(data)


@given(st.integers(0, len(SQL) - 1), st.integers(1, 255))
def test_another_text_is_never_taken_for_what_was_committed(place: int, flipped: int) -> None:
    altered = bytearray(SQL)
    altered[place] ^= flipped
    data = KeptRules(KEPT.id, KEPT.spec, (RuleFile("policies/risk.sql", BLOB, bytes(altered)),)).encode()
    with pytest.raises(NeedsHuman, match=r"risk\.sql is not what was committed"):
        KeptRules.decode(data)
