"""How values are written on a page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.web.pages import templates

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "just now"),
        (59.9, "just now"),
        (60, "1 min ago"),
        (3_599, "59 min ago"),
        (3_600, "1 h ago"),
        (86_399, "23 h ago"),
        (86_400 * 400, "400 d ago"),
        (-1, "in a moment"),
        (-7_300, "in 2 h"),
    ],
)
def test_how_long_ago(seconds: float, told: str) -> None:
    assert templates.format_age(NOW - timedelta(seconds=seconds), NOW) == told


def test_a_moment_is_absolute_and_relative_in_utc() -> None:
    told = templates.format_moment("2026-11-23T12:30:00.5+01:00", NOW)
    assert told == (
        '<time datetime="2026-11-23T11:30:00.500000Z"><span class="at">2026-11-23 11:30:00 UTC</span> '
        '<span class="ago">29 min ago</span></time>'
    )
    assert templates.format_moment(None, NOW) == "–"  # noqa: RUF001


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.1, "0.1"),
        (30, "30"),
        (30.0, "30"),
        (1e-7, "1e-07"),
        (True, "true"),
        (None, "–"),  # noqa: RUF001
        ({"b": 1.0, "a": [2.5]}, "{&#34;a&#34;:[2.5],&#34;b&#34;:1}"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b\x1b\n", "a\\u202eb\\x1b\\n"),
        ("שלום", "שלום"),
    ],
)
def test_a_value_is_canonical_escaped_and_isolated(value: object, told: str) -> None:
    assert templates.format_value(value) == f"<bdi>{told}</bdi>"


def test_a_cell_is_cut_and_a_page_about_one_thing_is_not() -> None:
    text = "x" * 10_000
    assert len(templates.format_cell(text)) < 200
    assert text in templates.format_value(text)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (("resources", "note", "a/b?c#d"), "/resources/note/a%2Fb%3Fc%23d"),
        (("resources", "note", "x.json"), "/resources/note/x%2Ejson"),
        (("resources", "note", "' OR 1=1"), "/resources/note/%27%20OR%201%3D1"),
        (("versions", "é\N{RIGHT-TO-LEFT OVERRIDE}"), "/versions/%C3%A9%E2%80%AE"),
    ],
)
def test_a_name_in_an_address_stays_a_name(parts: tuple[str, ...], told: str) -> None:
    assert templates.page_address(*parts) == told


def test_parameters_that_say_nothing_are_left_out() -> None:
    assert templates.page_query(q="a&b", page=None, status="") == "?q=a%26b"
    assert templates.page_query(q="") == ""


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 bytes"), (1023, "1,023 bytes"), (1024, "1.0 KB"), (13_119_488, "12.5 MB")]
)
def test_sizes(number: int, told: str) -> None:
    assert templates.format_size(number) == told


def test_what_a_template_does_not_know_is_an_error() -> None:
    with pytest.raises(Exception, match="'nobody' is undefined"):
        templates.load_environment().from_string("{{ nobody }}").render()


def test_text_that_nobody_marked_is_escaped() -> None:
    assert templates.load_environment().from_string("{{ it }}").render(it="<b>") == "&lt;b&gt;"


def test_backquotes_become_code_and_nothing_else_becomes_html() -> None:
    assert templates.mark_code("`<a>` or <b>") == "<code>&lt;a&gt;</code> or &lt;b&gt;"
    assert templates.mark_code("one ` alone, `` and a` pair`") == "one ` alone, `` and a` pair`"
    hostile = templates.format_prose("run `rm -rf \N{RIGHT-TO-LEFT OVERRIDE}<x>`, then `")
    assert hostile == "<bdi>run <code>rm -rf \\u202e&lt;x&gt;</code>, then `</bdi>"


def test_a_row_that_drifted_is_told_in_its_history() -> None:
    at, sha = "2026-11-23T11:00:00Z", "a" * 40
    common = {"kind": "Account", "id": "1", "name": "cv", "commit": sha, "found_at": at}
    healed = common | {
        "what": "changed",
        "fields": ["leverage"],
        "before": {"leverage": 500},
        "after": {"leverage": 30},
        "right_at": None,
        "ended_at": at,
        "ended": "healed",
    }
    extra = common | {
        "what": "extra",
        "fields": [],
        "before": {"leverage": 1},
        "after": None,
        "right_at": at,
        "ended_at": None,
        "ended": None,
    }
    person = {"name": "Maren", "email": "m@desk.example", "time": at}
    change = {
        "commit": sha,
        "author": person,
        "committed_at": at,
        "message": "Begin",
        "orphaned": False,
        "op": "create",
        "fields": [],
        "fate": "live",
        "refused_by": [],
        "drift": [healed, extra],
    }
    page: dict[str, object] = dict.fromkeys(("path", "line", "removed", "without_history", "halted"), None)
    page |= {"kind": "Account", "name": "cv", "live": False, "declared": False, "fields": [], "blame": {}, "drifts": []}
    host = {"name": "d", "repository": "r", "branch": "main", "sync": "Synced", "health": "Healthy", "applied": sha}
    told = templates.render_page("resource", {**page, "host": host | {"at": at, "halted": []}, "changes": [change]})
    assert "since when is not known" in told
    assert re.search(r"live was</th>.*?healed to</th>.*?<bdi>500</bdi>.*?<bdi>30</bdi>", told, re.DOTALL)
    assert "not healed" in told
    assert "The row was one that git did not know." in told
