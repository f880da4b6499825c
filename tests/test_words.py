"""What a mistyped word may mean, wherever one is typed: commands, options, their values, kinds, settings."""

from __future__ import annotations

import pytest

from reconciler import settings
from reconciler.cli import mistyped
from reconciler.cli.main import COMMANDS, run
from reconciler.errors import UsageError
from reconciler.words import closest, did_you_mean, list_words, suggest


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("max_open_trade", ["max_trades", "max_open_trades"], "max_open_trades"),
        ("maxOpenTrades", ["max_open_trades", "status"], "max_open_trades"),
        ("active", ["ACTIVE", "INACTIVE"], "ACTIVE"),
        ("Acount", ["User", "Account"], "Account"),
        ("colour", ["status", "path"], None),
        ("x" * 10_000, ["x" * 79], None),
        ("", ["a"], None),
        ("gte", ["sql", "get"], "get"),
    ],
)
def test_did_you_mean(word: str, known: list[str], expected: str | None) -> None:
    assert closest(word, known) == expected
    assert did_you_mean(word, known) == (f" (did you mean {expected}?)" if expected else "")


def test_a_hint_names_the_closest_word_or_those_that_there_are() -> None:
    assert suggest("stauts", ["status", "sync"]) == "did you mean status?"
    assert suggest("xyz", ["status", "sync"]) == "there are: status, sync"
    assert suggest("xyz", ["status"], "see `reconciler --help`") == "see `reconciler --help`"
    assert suggest("xyz", []) == ""
    assert list_words(map(str, range(1_003)), 3) == "0, 1, 2 and 1,000 more"


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("stauts", "status"),
        ("sesion list", "session"),
        ("gte user", "get"),
        ("session lst", "list"),
        ("schema lsit", "list"),
        ("policy tst", "test"),
        ("log --limt 3", "--limit"),
        ("sync --aprove x", "--approve"),
        ("log --format jsn", "json"),
        ("plan --format gihub", "github"),
        ("log --status invlid", "invalid"),
        ("token --role raed", "read"),
        ("completion bsh", "bash"),
        ("schema show usr", "user"),
        ("apply -f users", "sync"),
        ("deploy", "sync"),
        ("describe account cv-eurusd", "get"),
        ("descrbe account cv-eurusd", "get"),
        ("ls accounts", "get"),
        ("LIST", "get"),
        ("accounts", "get accounts"),
        ("edit user fx-majors-01", "set"),
        ("lint", "validate"),
        ("format", "fmt"),
        ("create account x", "new"),
        ("heal", "drift --heal"),
        ("fsck", "verify"),
        ("kinds", "schema list"),
        ("api-resources", "schema list"),
        ("help get", "--help"),
        ("version", "--version"),
        ("session ls", "list"),
        ("session delete x", "expire"),
        ("schema describe account", "show"),
        ("policy run", "test"),
        ("uses account x --json", "--format json"),
        ("status --debug", "--verbose"),
        ("log --tail 5", "--limit"),
        ("log --from yesterday", "--since"),
        ("plan --from main", "--base"),
        ("show account x --rev HEAD", "--at"),
        ("sync --yes", "--approve"),
        ("suspend -m weekend", "--reason"),
        ("drift --fix", "--heal"),
        ("fmt --dry-run", "--check"),
        ("status --cwd /tmp", "--repo"),
    ],
)
def test_a_mistyped_word_of_a_command_line_is_told_what_it_may_mean(
    line: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--repo", "config-repo-example", *line.split()]) == 3
    assert f"did you mean {meant}?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("revert", "git revert"),
        ("delete account x", "delete its file in git"),
        ("sync --dry-run", "reconciler plan"),
        ("get accounts --no-color", "NO_COLOR=1"),
    ],
)
def test_what_no_command_does_is_told_how_it_is_done(
    line: str, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line.split()) == 3
    assert advice in capsys.readouterr().err


def test_words_of_other_tools_mean_one_thing() -> None:
    for table in (mistyped.COMMAND_WORDS, mistyped.GROUP_WORDS):
        for meaning, words in table.items():
            assert len(words.split()) == len(set(words.split())), meaning
    words = [word for listed in mistyped.COMMAND_WORDS.values() for word in listed.split()]
    assert sorted(words) == sorted(set(words))
    assert not set(words) & {*mistyped.ADVICE, *COMMANDS}


def test_a_word_like_no_other_is_told_where_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["session", "xyzzy"]) == 3
    assert (
        capsys.readouterr().err == "error: there is no command session xyzzy\nhint: see `reconciler session --help`\n"
    )


def test_a_mistyped_variable_is_told_which_setting_it_may_be() -> None:
    with pytest.raises(UsageError) as caught:
        settings.load(None, {}, environ={"RECONCILER_HTTP_LISTN": "x"})
    assert caught.value.hint == "did you mean RECONCILER_HTTP_LISTEN?"
