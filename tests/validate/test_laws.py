"""What holds for every document, valid or not."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from reconciler.model.change import Decoded, Document
from reconciler.validate.explain import find_violations
from reconciler.validate.validator import find_unfit_integers, is_secret_name
from tests.kinds.loading import example
from tests.support.laws import examples
from tests.validate.samples import KINDS, check_value, codes, sample, validator

COMPILED = {
    kind.name: Draft202012Validator(dict(kind.schema), offline=True, validate_formats=True) for kind in example()
}
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from([0, 0.0, -0.0, 0.01, 1, 1.0, 100, 100.0, 3000, 10**400, "", "ACTIVE", "active", "FIXED", "BOTH"])
    | st.sampled_from(["EURUSD\n", "C:\\MT5", "C:\\MT5\n", "/", "#US30", "x" * 300, "1:30", "٣", "a\u2028b", "NO"])
    | st.uuids().map(str)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["status", "name", "labels", "refs", "users", "password", "created_at", "x", "~/", ""]
) | st.text(max_size=8)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, member in members for place in _places(member, (*path, key)))]


@st.composite
def mutants(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A kind and a document of it that has been changed in up to three places; its kind still stands."""
    kind = draw(st.sampled_from(KINDS))
    document = sample(kind)
    for _ in range(draw(st.integers(0, 3))):
        *way, last = draw(st.sampled_from([place for place in _places(document) if place and place != ("kind",)]))
        target: Any = document
        for step in way:
            target = target[step]
        match draw(st.sampled_from(["replace", "drop", "add"])):
            case "drop":
                target.pop(last)
            case "add" if isinstance(target, dict):
                target.setdefault(draw(KEYS), draw(VALUES))
            case _:
                target[last] = draw(VALUES)
    return kind, document


@settings(deadline=None, max_examples=examples(300))
@given(mutants())
def test_both_validators_agree_and_so_does_the_verdict(mutant: tuple[str, dict[str, Any]]) -> None:
    name, document = mutant
    kind = example().by_name[name]
    valid = COMPILED[name].is_valid(document)
    assert valid is (not find_violations(kind.schema, document))
    keys = {key for place in _places(document) for key in place if isinstance(key, str)}
    fine = valid and not any(map(is_secret_name, keys)) and not [*find_unfit_integers(kind, document)]
    entry = check_value(document)
    assert bool(entry.resources) is fine
    assert bool(entry.problems) is not fine


@settings(deadline=None, max_examples=examples(300))
@given(st.lists(VALUES | mutants().map(lambda mutant: mutant[1]), max_size=3), st.data())
def test_a_check_never_raises_and_accounts_for_every_document(values: list[Any], data: st.DataObject) -> None:
    documents = []
    for value in values:
        pointers = [f"/{'/'.join(map(str, place))}" for place in _places(value) if place]
        texts = data.draw(st.dictionaries(st.sampled_from(pointers), st.text(max_size=8))) if pointers else {}
        documents.append(Document(value, {}, texts))
    entry = validator().check("x.yaml", Decoded(tuple(documents)))
    known = len(entry.resources) + len(entry.identified)
    assert entry.documents == len(values)
    assert known <= len(values)
    assert entry.unreadable is (known < len(values))
    assert bool(entry.problems) is (len(entry.resources) < len(values))
    assert list(entry.problems) == sorted(entry.problems)


@settings(deadline=None, max_examples=examples(100))
@given(mutants(), st.sampled_from(["password", "Passwd", "api-key", "mt5Login", "TOKEN", "private_key"]), st.data())
def test_no_message_contains_a_secret(mutant: tuple[str, dict[str, Any]], key: str, data: st.DataObject) -> None:
    _, document = mutant
    secret = "hunter2-and-more"
    places = [place for place in _places(document) if isinstance(_at(document, place), dict)]
    target = _at(document, data.draw(st.sampled_from(places)))
    target[key] = data.draw(st.sampled_from([secret, [secret], {"status": secret, secret: 1}]))
    entry = check_value(document)
    assert "secret" in {one.code for one in entry.problems}
    told = [f"{one.message} {one.hint} {one.pointer}" for one in entry.problems]
    assert not [one for one in told if secret in one]


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        value = value[step]
    return value


def _shuffled(value: Any, data: st.DataObject) -> Any:
    if isinstance(value, dict):
        return {key: _shuffled(value[key], data) for key in data.draw(st.permutations(sorted(value)))}
    if isinstance(value, list):
        return data.draw(st.permutations([_shuffled(member, data) for member in value]))
    return float(value) if type(value) is int and data.draw(st.booleans()) else value


@settings(deadline=None, max_examples=examples(60))
@given(st.sampled_from(KINDS), st.data())
def test_spelling_does_not_matter(kind: str, data: st.DataObject) -> None:
    """Key order, order of names, 30 or 30.0 in a FLOAT, case of a UUID."""
    document = sample(kind)
    spec, columns = document["spec"], example().by_name[kind].columns
    other = {part: _shuffled(document[part], data) for part in ("metadata", "apiVersion", "spec", "kind")}
    for column in columns:
        if column.type == "INTEGER":
            other["spec"][column.name] = spec[column.name]
        elif column.type == "UUID":
            other["spec"][column.name] = spec[column.name].upper()
    (one,), (two,) = check_value(document).resources, check_value(other).resources
    assert (one.digest, one.values, one.refs, one.id) == (two.digest, two.values, two.refs, two.id)


def test_everything_a_resource_says_is_in_its_digest() -> None:
    document = sample("Account")
    digests = [check_value(document).resources[0].digest]
    for part, field, value in [
        ("metadata", "name", "other"),
        ("metadata", "labels", {"desk": "fx"}),
        ("metadata", "annotations", {"note": "n"}),
        ("metadata", "refs", {}),
        *(("spec", name, value) for name, value in [("leverage", 31), ("status", "INACTIVE"), ("currency_pair", "X")]),
    ]:
        changed = {**document, part: {**document[part], field: value}}
        digests.append(check_value(changed).resources[0].digest)
    assert len(set(digests)) == len(digests)
    assert codes(check_value(document)) == []
