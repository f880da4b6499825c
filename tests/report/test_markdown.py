"""The comment on a pull request: always whole, always short enough, and other people's text does nothing in it."""

from __future__ import annotations

import html
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt

from reconciler.model.bounds import Bounds
from reconciler.model.problem import Policy, Problem, Severity
from reconciler.model.review import Measurement, Reach, Remedy, Review, Touched
from reconciler.plan import Plan, sort_changes
from reconciler.report.comment import render_plan
from reconciler.report.escape import escape_line
from reconciler.report.formats import PLAN_FORMATS, PROBLEM_FORMATS
from reconciler.report.links import Links, links_in
from reconciler.report.markdown import (
    MAX_COMMENT,
    MAX_ENTRY,
    MAX_TEXT,
    code_span,
    escape_markdown,
    table_entry,
    truncate,
)
from reconciler.values import replace
from tests.report.rich import BASE, CALM, CHECKED, CLEAN, EMPTY, HEAD, NASTY, PLAN, RICH_KINDS, create, delete, update
from tests.report.texts import CHECKS, PLANS, TEXTS
from tests.support.kinds import GADGET, KINDS, WIDGET_COLUMNS, gadget, make_kind, widget
from tests.support.laws import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

    from reconciler.reconcile.check import CheckResult

GITHUB = 65_536
LINKS = Links("https://git.example.com/desk/config/blob/abc")
GITHUB_JOB = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "desk/config", "GITHUB_SHA": "abc"}
READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OURS = re.compile(
    r"<!-- reconciler:(plan|validate) -->|<details( open)?><summary><b>.*</b>[^<>]*</summary>|</details>"
    r"|<details>|<summary>|</summary>|<br>|</?sub>|</?code>|</?b>"
)
BUILT = {
    "heading",
    "paragraph",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "inline",
    "html",
    "text",
    "code",
    "strong",
    "bullet",
    "list",
    "fence",
}


def _tokens(page: str) -> Iterator[Token]:
    for token in READER.parse(page):
        yield token
        yield from token.children or ()


def _check(page: str, *, linked: bool = False) -> None:
    """Nothing but our own markup, tables whose rows all have their columns, folds that close."""
    assert len(page.encode()) <= MAX_COMMENT < GITHUB
    markup = [token.content.strip() for token in _tokens(page) if token.type.startswith("html")]
    assert [one for one in markup if not OURS.fullmatch(one)] == []
    assert sum(one.startswith("<details") for one in markup) == markup.count("</details>")
    assert all(token.info == "suggestion" for token in _tokens(page) if token.type == "fence")
    assert {token.type.partition("_")[0] for token in _tokens(page)} <= {*BUILT, *(["link"] if linked else [])}
    assert page.startswith("<!-- reconciler:")
    for block in page.split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1
        assert len(rows) != 2, "a table without a row"
    told = sum(line.startswith("|") and not line.startswith("|:--") for line in page.splitlines())
    assert sum(token.type == "tr_open" for token in _tokens(page)) == told


def _shown(markdown: str) -> str:
    """What a reader sees in a cell; the spaces without width are ours."""
    page = READER.render(f"| |\n|:--|\n| {markdown} |\n")
    cell = re.search(r"<tbody>\s*<tr>\s*<td[^>]*>(.*)</td>", page, re.DOTALL)
    assert cell
    return html.unescape(re.sub(r"</?code>", "", cell[1])).replace("\u200b", "")


@settings(max_examples=examples(25))
@given(PLANS)
def test_a_plan_is_a_whole_comment(found: Plan) -> None:
    _check(PLAN_FORMATS["markdown"](found, KINDS))


@settings(max_examples=examples(25))
@given(CHECKS)
def test_a_check_is_a_whole_comment(found: CheckResult) -> None:
    _check(PROBLEM_FORMATS["markdown"](found))


@given(TEXTS.filter(bool))
def test_code_shows_the_text_as_it_is(raw: str) -> None:
    assert _shown(code_span(raw)) == truncate(escape_line(raw), MAX_TEXT)


@given(TEXTS)
def test_prose_shows_the_text_as_it_is(raw: str) -> None:
    shown = re.sub(r"\s+", " ", truncate(escape_line(raw), MAX_TEXT)).strip()
    assert re.sub(r"\s+", " ", _shown(escape_markdown(raw))).strip() == shown


@pytest.mark.parametrize(
    ("raw", "written"),
    [
        ("risk_per_trade_percent is 7.5 % (was 1:30)", "risk_per_trade_percent is 7.5 % (was 1:30)"),
        ("ask @ann, see #12", "ask @&#8203;ann, see #&#8203;12"),
        ("https://evil.example", "https&#58;//evil.example"),
        ("www.evil.example", "www&#46;evil.example"),
        ("_no_ *no* `no`", "&#95;no&#95; &#42;no&#42; &#96;no&#96;"),
        ("'#US30' @ 9", "'#US30' @ 9"),
    ],
)
def test_prose_is_written_so_that_nothing_happens(raw: str, written: str) -> None:
    assert escape_markdown(raw) == written


def test_only_what_would_end_a_span_of_code_is_an_element() -> None:
    assert code_span("@ann <b> EURUSD.r") == "`@ann <b> EURUSD.r`"
    assert code_span("a|b") == "<code>a&#124;b</code>"
    assert code_span(" ") == "<code> </code>"


def test_harm_in_every_place_does_nothing() -> None:
    problem = Problem(NASTY, 1, 1, NASTY, NASTY, NASTY, NASTY)
    odd = replace(widget("a"), name=NASTY, path=NASTY, kind=NASTY, labels={NASTY: NASTY})
    plan = Plan(BASE, HEAD, sort_changes((create(odd), delete(odd), update(widget("a"), odd))), (problem,), 1, BASE)
    page = PLAN_FORMATS["markdown"](plan, KINDS)
    _check(page)
    assert "<script" not in READER.render(page)
    assert not {token.type for token in _tokens(page)} & {"link_open", "image", "s_open"}


@pytest.mark.parametrize("line", ["  x: 1  # </pre> @ann [x](https://evil.example) <script>", "`````"])
def test_harm_in_what_is_suggested_and_linked_to_does_nothing(line: str) -> None:
    problem = Problem(NASTY, 1, 1, "policy/x", "/spec/x", NASTY, bounds=Bounds(at_most=1))
    review = Review(
        policies=(Policy("x", f"{NASTY}.sql", NASTY, ""),),
        measurements=(Measurement("x", NASTY, NASTY, 1, 2, changed=True),),
        remedies=(Remedy(NASTY, 1, "/spec/x", NASTY, line, line),),
        reach=Reach({NASTY: Touched(1, 2)}, (NASTY,)),
        behind=2,
        digest="0" * 64,
    )
    changes = sort_changes(create(replace(widget(f"a{n}"), name=NASTY, path=NASTY)) for n in range(9))
    page = render_plan(Plan(BASE, HEAD, changes, (problem,), 1, BASE, review=review), KINDS, LINKS)
    _check(page, linked=True)
    addresses = {str(token.attrs["href"]) for token in _tokens(page) if token.type == "link_open"}
    assert addresses
    assert all(address.startswith(f"{LINKS.base}/") for address in addresses)
    (fence,) = (token for token in _tokens(page) if token.type == "fence")
    assert fence.content == f"{line}\n"
    assert "<script" not in READER.render(page)


@pytest.mark.parametrize(
    ("environment", "asked", "base"),
    [
        ({}, "", ""),
        (GITHUB_JOB, "", "https://github.com/desk/config/blob/abc"),
        ({**GITHUB_JOB, "GITEA_ACTIONS": "true"}, "", "https://github.com/desk/config/src/commit/abc"),
        (
            {"CI_PROJECT_URL": "https://gitlab.com/desk", "CI_COMMIT_SHA": "abc"},
            "",
            "https://gitlab.com/desk/-/blob/abc",
        ),
        (GITHUB_JOB, "https://git.example/x/", "https://git.example/x"),
        ({}, "javascript:alert(1)", ""),
        ({}, "https://git.example/x) [y](https://evil.example", ""),
    ],
)
def test_an_address_is_the_one_asked_for_or_the_jobs(environment: dict[str, str], asked: str, base: str) -> None:
    assert links_in(environment, asked) == Links(base)
    assert Links(base).to_line("a b/(c).yaml", 3) == (f"{base}/a%20b/%28c%29.yaml#L3" if base else "")


def test_a_text_is_cut_at_its_length() -> None:
    assert truncate("x" * 200, 200) == "x" * 200
    assert truncate("x" * 201, 200) == "x" * 199 + "…"


def test_what_goes_comes_first_open_and_marked() -> None:
    page = PLAN_FORMATS["markdown"](PLAN, RICH_KINDS)
    folds = re.findall(r"<details( open)?><summary><b>(.*?)</b>", page)
    assert folds == [(" open", "5 to delete"), ("", "Gadget"), ("", "Widget"), ("", "Widget")]
    assert "| ⚠️ | Widget `gone` | row becomes INACTIVE | `widgets/gone.yaml:1` |\n" in page
    assert "|  | Widget `kept` | row stays as it is |" in page


@pytest.mark.parametrize(
    ("page", "title"),
    [
        (
            PLAN_FORMATS["markdown"](PLAN, RICH_KINDS),
            "❌ 3 widgets removed, 1 gadget removed, 1 widget removed from git only, 1 widget added, "
            "`linked`'s `refs.widget` goes from `big` to nothing, "
            "2 widgets' `label` changes; refused by 4 problems",
        ),
        (PLAN_FORMATS["markdown"](CALM, RICH_KINDS), "✅ `nasty`'s `label` changes"),
        (PLAN_FORMATS["markdown"](EMPTY, RICH_KINDS), "✅ Nothing changes"),
        (
            PLAN_FORMATS["markdown"](replace(CALM, changes=(delete(gadget("a")),)), RICH_KINDS),
            "⚠️ 1 gadget removed",
        ),
        (PROBLEM_FORMATS["markdown"](CHECKED), "❌ Configuration: 4 errors, 1 warning"),
        (PROBLEM_FORMATS["markdown"](CLEAN), "✅ Configuration: no problems"),
        (
            PROBLEM_FORMATS["markdown"](replace(CLEAN, problems=(CHECKED.problems[2],))),
            "⚠️ Configuration: 0 errors, 1 warning",
        ),
    ],
)
def test_the_first_line_that_is_seen_says_how_it_stands(page: str, title: str) -> None:
    assert page.splitlines()[1] == f"### {title}"


def test_a_bot_finds_its_comment_by_the_first_line() -> None:
    assert PLAN_FORMATS["markdown"](PLAN, RICH_KINDS).startswith("<!-- reconciler:plan -->\n")
    assert PROBLEM_FORMATS["markdown"](CHECKED).startswith("<!-- reconciler:validate -->\n")


def _many(number: int) -> tuple[Problem, ...]:
    severities = list(Severity)
    return tuple(
        Problem(f"widgets/{n:05}.yaml", n + 1, 1, "x", "/spec", "é" * 40, severity=severities[n % 2])
        for n in range(number)
    )


def test_what_does_not_fit_is_counted() -> None:
    changes = [update(widget(f"w{n:05}"), widget(f"w{n:05}", note="€" * 60, weight=1.0 + n)) for n in range(2_000)]
    changes += [delete(gadget(f"g{n}")) for n in range(10)] + [create(gadget(f"h{n}")) for n in range(10)]
    plan = Plan(BASE, HEAD, sort_changes(changes), _many(1_500), 3, BASE)
    page = PLAN_FORMATS["markdown"](plan, RICH_KINDS)
    _check(page)
    assert len(page.encode()) > MAX_COMMENT * 0.95
    shown = Counter(re.findall(r"^\| (⚠️|create|update) \| (Gadget|`w|`h)", page, re.MULTILINE))
    assert shown["⚠️", "Gadget"] == 10
    assert shown["create", "`h"] == 0, "what changes comes before what is added"
    assert "| 10 gadgets | added |" in page
    problems = len(re.findall("^- ❌ `widgets", page, re.MULTILINE))
    assert "- ⚠️ `widgets" not in page, "errors come before warnings"
    assert problems > 0
    updates = shown["update", "`w"]
    assert updates > 50
    notice = (
        f"… and {1_500 - problems:,} more problems and {2_000 - updates:,} more updates and 10 more creations "
        "that this comment has no room"
    )
    assert notice in page
    assert "<b>Widget</b>: 2,000 to update, field by field" in page


def test_problems_alone_take_all_the_room() -> None:
    page = PROBLEM_FORMATS["markdown"](replace(CHECKED, problems=_many(2_000)))
    _check(page)
    assert len(page.encode()) > MAX_COMMENT * 0.95
    left = 2_000 - page.count("`widgets/")
    assert page.endswith(f"**… and {left:,} more problems that this comment has no room for: see the job's log.**")


def test_all_of_it_is_shown_when_it_just_fits() -> None:
    few = replace(CHECKED, problems=_many(300))
    assert "no room" not in PROBLEM_FORMATS["markdown"](few)


def test_one_resource_cannot_take_all_the_room() -> None:
    wide = make_kind("Wide", [*WIDGET_COLUMNS, *(replace(WIDGET_COLUMNS[7], name=f"note_{n}") for n in range(300))])
    values = {f"note_{n}": "|" * 300 for n in range(300)}
    page = PLAN_FORMATS["markdown"](
        Plan(BASE, HEAD, (create(widget("a", kind=wide, **values)), create(gadget("z")))), type(KINDS)((GADGET, wide))
    )
    _check(page)
    hidden = re.search(r"\| \| \| and (\d+) more \| \| \|", page)
    assert hidden
    assert int(hidden[1]) + page.count("`note_") == 300
    assert "`z`" in page


def test_rows_are_hidden_from_the_first_that_does_not_fit() -> None:
    rows = ["a" * (MAX_ENTRY - 10), "b" * 20, "c"]
    assert table_entry("first", rows, "+{}") == f"first{rows[0]}+2"
    assert table_entry("first", rows[2:], "+{}") == "firstc"
