"""Plain scalars against PyYAML, a YAML 1.1 reader, and against the expressions of the YAML 1.2 specification."""

from __future__ import annotations

import math
import re

import pytest
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from reconciler.decode.build import OddScalar, resolve_scalar
from reconciler.scaffold.yamltext import write_scalar

# Copied from YAML 1.2.2, section 10.3.2.
INTEGER = re.compile(r"[-+]?[0-9]+")
OCTAL = re.compile(r"0o[0-7]+")
HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def as_yaml_1_2(text: str) -> object:
    if INTEGER.fullmatch(text):
        return int(text)
    if OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    return float(text) if FLOAT.fullmatch(text) else text


def as_yaml_1_1(text: str) -> object:
    loader = yaml.SafeLoader("")
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))
    try:
        return loader.construct_object(yaml.ScalarNode(tag, text))
    except ValueError:  # such as 0b_, which matches the expression for numbers and is none
        return ValueError


def same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


@given(st.text(alphabet="0123456789._:+-xobaAfFeE", min_size=1, max_size=8) | st.from_regex(FLOAT, fullmatch=True))
@example("1e3")
@example("+2.5E-1")
@example(".5e3")
@example("1.e+3")
def test_numbers_are_those_of_1_2_and_ambiguous_where_1_1_differs(text: str) -> None:
    old, new, found = as_yaml_1_1(text), as_yaml_1_2(text), resolve_scalar(text)
    if isinstance(new, float) and math.isinf(new):
        assert found is OddScalar.NOT_FINITE
        return
    assume(not re.fullmatch(r"\d{4}-\d\d?-\d\d?", text))  # a date is text here: PyYAML makes it a date
    if re.fullmatch(r"[-+]?0[0-9]+", text):
        assert found is OddScalar.AMBIGUOUS  # a leading zero always, also 00 to 07, which both read alike
    elif re.fullmatch(r"[-+]\.[0-9][0-9_]*([eE][-+][0-9]+)?", text):
        # PyYAML takes no sign here, though the specification of 1.1 has one.
        assert found is OddScalar.AMBIGUOUS if "_" in text else same(found, new)
    elif same(old, new):
        assert same(found, new)
    else:
        assert found is OddScalar.AMBIGUOUS


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**300), 10**300))
def test_numbers_as_this_program_writes_them_come_back(number: float) -> None:
    found = resolve_scalar(write_scalar(number))
    assert isinstance(found, (int, float))
    assert found == number


@pytest.mark.parametrize(
    "text", ["1e400", "-1e400", ".inf", "+.INF", "-.Inf", ".nan", ".NaN", "9" * 309, "0x" + "f" * 257]
)
def test_what_no_double_holds_is_not_finite(text: str) -> None:
    assert resolve_scalar(text) is OddScalar.NOT_FINITE


@pytest.mark.parametrize("text", ["1.0e+3", "1.E+3", "1.5e-3", "1.0e-400", ".5", "1.", "01.5", "9" * 308])
def test_what_a_double_holds_is_a_number(text: str) -> None:
    value = resolve_scalar(text)
    assert isinstance(value, (int, float))
    assert math.isclose(value, float(text))


@pytest.mark.parametrize(
    "word", ["yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "y", "Y", "n", "N"]
)
def test_the_booleans_of_1_1_are_ambiguous(word: str) -> None:
    assert resolve_scalar(word) is OddScalar.AMBIGUOUS


@pytest.mark.parametrize("word", ["yEs", "oFF", "tRUE", "nULL", "None", "nan", "inf", "-inf", "1e", "0x", "=", "--"])
def test_other_words_are_text(word: str) -> None:
    assert resolve_scalar(word) == word
