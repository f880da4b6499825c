"""What a file turns into."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from reconciler import canonical
from reconciler.decode.document import decode
from reconciler.model.change import Decoded, Document, Identified, Key
from reconciler.model.problem import Mark, Problem
from reconciler.validate.explain import find_violations
from reconciler.validate.finding import describe_range, quote_value
from reconciler.validate.validator import Validator, is_secret_name
from tests.kinds.loading import load
from tests.validate.samples import CASES, check_text, check_value, codes, sample, validator

DESK = json.loads((CASES.parent / "schemas" / "positive" / "every-type.schema.json").read_text())


def _desks(**spec: Any) -> Any:
    """What a document of a kind without any bounds turns into."""
    kinds, problems = load({"desk.json": json.dumps(DESK).encode()})
    assert problems == ()
    fields = {"city": "London", "loss": 1, **spec}
    document: Any = {"apiVersion": "reconciler/v1", "kind": "Desk", "metadata": {"name": "fx"}, "spec": fields}
    return Validator(kinds).check("x.yaml", Decoded((Document(document, {}),)))


def test_a_resource_is_canonical() -> None:
    entry = check_text((CASES / "positive" / "account.yaml").read_bytes())
    (account,) = entry.resources
    assert account.key == Key("Account", "cv-eurusd")
    assert account.row_id == ("Account", "d7df3d7e-89aa-53ee-aff5-a6cedc214994")
    assert list(account.values) == [
        "account_id",
        "broker_id",
        "spread_type",
        "commission",
        "margin_requirement",
        "leverage",
        "currency_pair",
        "status",
    ]
    assert account.values["leverage"] == 30.0
    assert type(account.values["leverage"]) is float
    assert account.refs == {"broker": ("caldervale-eu",), "user": ("fx-majors-01",), "instance": ("cv-live-01",)}
    assert (account.path, account.line) == ("x.yaml", 1)


def test_integers_stay_integers() -> None:
    (user,) = check_value(sample("User")).resources
    assert type(user.values["max_open_trades"]) is int


def test_an_id_that_is_left_out_is_made_from_kind_and_name() -> None:
    (user,) = check_text((CASES / "positive" / "user-without-id.yaml").read_bytes()).resources
    assert user.id == canonical.derived_id("User", "fx-majors-01") == user.values["user_id"]
    given = sample("User", user_id=user.id)
    assert check_value(given).resources[0].digest == user.digest


def test_an_optional_field_that_is_left_out_is_none() -> None:
    (broker,) = check_text((CASES / "positive" / "broker-without-optional-fields.yaml").read_bytes()).resources
    assert broker.values["daily_loss_percent"] is None
    assert broker.values["distinct_parameters"] is None
    assert broker.values["leverage_cap"] == {"fx_major": 100, "gold": 30}


def test_several_documents_each_know_their_line() -> None:
    text = (CASES / "positive" / "several-documents.yaml").read_text()
    lines = text.splitlines()
    entry = check_text(text)
    assert [lines[one.line - 1] for one in entry.resources] == ["apiVersion: reconciler/v1"] * 6
    assert len({one.line for one in entry.resources}) == 6


def test_a_document_with_errors_is_still_declared() -> None:
    entry = check_text((CASES / "negative" / "second-document.yaml").read_bytes())
    assert [one.key for one in entry.resources] == [("User", "fx-majors-01")]
    assert entry.identified == (Identified(Key("System", "production"), 17),)
    assert not entry.unreadable


@pytest.mark.parametrize(
    "case",
    [
        "path-in-double-quotes",
        "unknown-kind",
        "missing-kind",
        "missing-name",
        "missing-metadata",
        "name-is-a-number",
        "a-list",
    ],
)
def test_what_cannot_be_identified_makes_the_file_unreadable(case: str) -> None:
    entry = check_text((CASES / "negative" / f"{case}.yaml").read_bytes())
    assert entry.unreadable
    assert (entry.resources, entry.identified) == ((), ())


@pytest.mark.parametrize("code", ["yaml-syntax", "unsafe-yaml"])
def test_a_file_that_was_not_read_in_full_is_unreadable(code: str) -> None:
    problem = Problem("x.yaml", 1, 1, code, "", "broken")
    entry = validator().check("x.yaml", Decoded((Document(sample("User"), {}),), (problem,)))
    assert entry.unreadable
    assert len(entry.resources) == 1
    assert entry.problems == (problem,)


def test_a_git_lfs_pointer_declares_nothing() -> None:
    entry = check_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n")
    assert entry.unreadable
    assert "Git LFS" in entry.problems[0].message


def test_one_cause_is_told_once() -> None:
    document = sample("User", lot_size_type="FIXED", lot_size_value=0, max_open_trades=10**12, status="x" * 30)
    assert sorted(codes(check_value(document))) == [
        ("not-allowed", "/spec/status"),
        ("out-of-range", "/spec/lot_size_value"),
        ("out-of-range", "/spec/max_open_trades"),
    ]


def test_a_problem_of_decoding_is_not_told_twice() -> None:
    text = (CASES / "positive" / "broker.yaml").read_text()
    entry = check_text(text.replace("daily_loss_percent: 5", "daily_loss_percent: .nan").replace("gold:", "12:"))
    assert sorted(codes(entry)) == [
        ("not-finite", "/spec/daily_loss_percent"),
        ("wrong-type", "/spec/leverage_cap/12"),
    ]
    assert entry.resources == ()


def test_places_come_from_the_document() -> None:
    marks = {"": Mark(3, 1), "/spec#": Mark(9, 1), "/spec/status": Mark(12, 11)}
    value = sample("System", status="ACTIVE")
    del value["spec"]["log_level"]
    entry = validator().check("a/b.yaml", Decoded((Document(value, marks),)))
    assert [(one.code, one.path, one.line, one.column) for one in entry.problems] == [
        ("missing-field", "a/b.yaml", 9, 1),
        ("unknown-field", "a/b.yaml", 12, 11),
    ]


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1])
def test_an_integer_fits_32_bits_even_when_its_schema_has_no_bounds(value: int) -> None:
    assert _desks(some_count=2**31 - 1).resources
    assert codes(_desks(some_count=value)) == [("out-of-range", "/spec/some_count")]


@pytest.mark.parametrize(("field", "value"), [("loss", 10**400), ("some_list", [float("inf")]), ("loss", float("nan"))])
def test_a_number_that_is_none_is_never_stored(field: str, value: Any) -> None:
    entry = _desks(**{field: value})
    assert [code for code, _ in codes(entry)] == ["not-finite"]
    assert entry.resources == ()


def test_json_columns_have_one_spelling() -> None:
    one, two = _desks(some_map={"a": 1.0, "b": [2]}), _desks(some_map={"b": [2.0], "a": 1})
    assert one.resources[0].values == two.resources[0].values
    assert one.resources[0].digest == two.resources[0].digest


@pytest.mark.parametrize(
    "key",
    [
        *(
            "password",
            "Password",
            "PASSWORD",
            "passwd",
            "pwd",
            "login",
            "token",
            "api_key",
            "apiKey",
            "API-KEY",
            "apikey",
        ),
        *("secret", "private_key", "investor_password", "mt5Login", "access-token", "client_secret", "MT5_PASSWORD"),
    ],
)
def test_keys_that_name_secrets(key: str) -> None:
    assert is_secret_name(key)


@pytest.mark.parametrize(
    "key", ["", "key", "account_id", "tokens_per_day", "secretary", "login_timeout", "monkey", "12"]
)
def test_keys_that_do_not(key: str) -> None:
    assert not is_secret_name(key)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"minimum": 1, "maximum": 5}, "1 to 5 lots"),
        ({"exclusiveMinimum": 0, "maximum": 100}, "more than 0, at most 100 lots"),
        ({"minimum": 0.01, "exclusiveMinimum": 0}, "at least 0.01 lots"),
        ({"minimum": 0, "exclusiveMinimum": 0}, "more than 0 lots"),
        ({"maximum": 5, "exclusiveMaximum": 5}, "less than 5 lots"),
        ({"maximum": 5.0}, "at most 5 lots"),
    ],
)
def test_ranges_in_words(bounds: dict[str, float], words: str) -> None:
    assert describe_range(bounds, "lots") == words


def test_the_order_of_names_in_a_reference_means_nothing() -> None:
    one, two = sample("Signal"), sample("Signal")
    one["metadata"]["refs"]["users"] = ["b", "a"]
    two["metadata"]["refs"]["users"] = ["a", "b"]
    (first,), (second,) = check_value(one).resources, check_value(two).resources
    assert first.refs == second.refs == {"users": ("a", "b")}
    assert first.digest == second.digest


def test_the_range_that_follows_from_another_field_is_the_one_that_is_told() -> None:
    (problem,) = check_value(sample("User", lot_size_type="FIXED", lot_size_value=0)).problems
    assert "0.01 to 100" in problem.message
    assert "FIXED" in problem.hint


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("^a$", "a", True),
        ("^a$", "a\n", False),
        ("^[$]$", "$", True),
        (r"^\$$", "$", True),
        (r"^[\]$]$", "]", True),
        (r"^\d$", "٣", False),
    ],
)
def test_patterns_mean_to_the_reference_what_they_mean_to_the_fast_validator(
    pattern: str, text: str, matches: bool
) -> None:
    schema = {"pattern": pattern}
    assert Draft202012Validator(schema).is_valid(text) is matches
    assert (not find_violations(schema, text)) is matches


def test_values_are_shown_on_one_line() -> None:
    assert quote_value("C:\\MT5\tnew\n") == "'C:\\MT5\\tnew\\n'"
    assert len(quote_value("x" * 10_000)) < 80
    assert quote_value({"password": "x"}) == "a mapping of fields"
    assert quote_value(0.10) == "0.1"


def test_a_valid_file_does_not_import_the_reference_validator() -> None:
    program = (
        "import sys\n"
        "from tests.validate.samples import check_text, CASES\n"
        "assert check_text((CASES / 'positive' / 'user.yaml').read_bytes()).resources\n"
        "assert 'jsonschema' not in sys.modules, 'slow'\n"
        "assert check_text((CASES / 'negative' / 'status-no.yaml').read_bytes()).problems\n"
        "assert 'jsonschema' in sys.modules, 'the check above proves nothing'\n"
    )
    root = Path(__file__).parent.parent.parent
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_decoding_and_checking_agree_on_what_an_empty_file_is() -> None:
    for text in (b"", b"# nothing\n", b"---\n"):
        entry = validator().check("x.yaml", decode("x.yaml", text))
        assert (entry.documents, entry.problems, entry.unreadable) == (0, (), False)
