"""What crosses between processes comes out as it was, to the type of each number."""

from __future__ import annotations

import pickle

import pytest

from reconciler.decode.document import decode
from reconciler.model.change import FileEntry, Resource
from reconciler.reconcile.crossing import Shared, pack, unpack
from reconciler.validate.validator import Validator
from reconciler.values import replace
from tests.support import configs
from tests.support.world import SHIPPED

SIGNAL = configs.signal("s", users=["bob", "ann"]).replace(
    "  name: s\n", "  name: s\n  labels: {desk: fx, fx: desk}\n  annotations: {desk: fx}\n"
)
FILES = {
    "plain": configs.user("bob", risk=1.0),
    "several": "---\n".join((configs.user("ann"), SIGNAL, configs.user("fx"))),
    "wrong": configs.user("eve", risk=1_000),
    "two, and one of them wrong": "---\n".join((configs.user("ann"), configs.user("eve", risk=1_000))),
    "unreadable": configs.BROKEN,
    "empty": "",
}


def crossed(path: str, entry: FileEntry | None, shared: Shared) -> FileEntry | None:
    return unpack(path, pickle.loads(pickle.dumps(pack(entry, shared))))


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_an_entry_comes_out_as_it_was(text: str) -> None:
    entry, shared = Validator(SHIPPED.kinds).check("a.yaml", decode("a.yaml", text.encode())), Shared()
    for _ in range(2):
        out = crossed("a.yaml", entry, shared)
        assert out == entry
        assert repr(out) == repr(entry)


def test_values_that_are_equal_stay_what_they_are() -> None:
    values = {"a": 1, "b": 1.0, "c": True, "d": "1", "e": [1, 1.0, "1"], "f": None, "g": {"1": True}, "h": 0.0, "i": ""}
    one = Resource("K", "1", "1", values, {"1": "a"}, {}, {"r": (), "q": ("1", "a")}, "p.yaml", 3, "d")
    entry = FileEntry((one, replace(one, line=7, values=values | {"a": True, "c": 1})), documents=2)
    assert repr(crossed("p.yaml", entry, Shared())) == repr(entry)


def test_what_failed_is_still_nothing() -> None:
    assert crossed("a.yaml", None, Shared()) is None


def test_a_text_that_many_have_is_one_object() -> None:
    shared, validator = Shared(), Validator(SHIPPED.kinds)
    texts = [configs.user(name).encode() for name in ("ann", "bob")]
    packed = [pack(validator.check("a.yaml", decode("a.yaml", text)), shared) for text in texts]
    ann, bob = (unpack("a.yaml", one) for one in pickle.loads(pickle.dumps(packed)))
    assert ann is not None
    assert bob is not None
    assert ann.resources[0].values["lot_size_type"] is bob.resources[0].values["lot_size_type"]
    assert ann.resources[0].values["lot_size_type"] is ann.resources[0].values["stop_loss_type"]
