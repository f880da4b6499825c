"""The orders in a row, whatever is or is not in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.daemon.hostconfig import DEFAULT, MB, ConfigChange, HostConfig, diff_host_configs, parse_host_config
from reconciler.model.log import Level
from reconciler.wiring.bundled import bundled_kinds

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kind

ROW: dict[str, Any] = {
    "log_level": "WARN",
    "backup_interval_sec": 600,
    "max_log_size_mb": 1.5,
    "cache_size_mb": 512,
    "sync_interval_sec": 7,
}
COLUMNS = tuple(ROW)


def _obeyed_kind() -> Kind:
    (found,) = [kind for kind in bundled_kinds().kinds if all(kind.column(name) for name in COLUMNS)]
    return found


def test_a_row_is_obeyed() -> None:
    expected = HostConfig(Level.WARN, 1024 * 1536, 600.0, 7.0, 512 * 1024 * 1024)
    assert parse_host_config(ROW) == expected
    assert all(isinstance(getattr(parse_host_config(ROW), name), int) for name in ("max_log_size_bytes", "cache_bytes"))


def test_without_a_row_there_are_defaults() -> None:
    assert parse_host_config(None) == parse_host_config({}) == DEFAULT == HostConfig()


def test_a_shipped_kind_has_every_column_that_is_obeyed() -> None:
    levels = _obeyed_kind().schema["properties"]["spec"]["properties"]["log_level"]["enum"]
    assert levels == [str(level) for level in Level]


@pytest.mark.parametrize("name", ["backup_interval_sec", "max_log_size_mb", "cache_size_mb", "sync_interval_sec"])
@pytest.mark.parametrize("end", ["minimum", "maximum"])
def test_what_the_schema_allows_is_obeyed(name: str, end: str) -> None:
    value = _obeyed_kind().schema["properties"]["spec"]["properties"][name][end]
    (changed,) = diff_host_configs(DEFAULT, parse_host_config({name: value}))
    assert changed.new == value * (MB if name.endswith("_mb") else 1)


@given(
    st.dictionaries(
        st.sampled_from(COLUMNS),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=5)
        | st.lists(st.integers(), max_size=1),
    )
)
def test_no_row_stops_the_daemon(row: dict[str, Any]) -> None:
    found = parse_host_config(row)
    assert isinstance(found.log_level, Level)
    numbers = (found.max_log_size_bytes, found.backup_interval, found.ship_interval, found.cache_bytes)
    assert all(1 <= number <= 1e9 * MB for number in numbers)


def test_what_changed_is_told() -> None:
    assert diff_host_configs(parse_host_config(ROW), parse_host_config(ROW)) == ()
    new = parse_host_config({**ROW, "log_level": "DEBUG", "sync_interval_sec": 9})
    assert diff_host_configs(parse_host_config(ROW), new) == (
        ConfigChange("log_level", Level.WARN, Level.DEBUG),
        ConfigChange("ship_interval", 7.0, 9.0),
    )
