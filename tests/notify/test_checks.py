"""What doctor says of receivers, without and with a test message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.model.host import Grade
from reconciler.model.receiver import parse_receivers
from reconciler.notify.checks import check_receivers, try_receivers
from reconciler.values import replace
from tests.notify.test_messages import ORIGIN
from tests.support.forges import TOKEN, Forge
from tests.support.receivers import receiving
from tests.support.standings import NOON

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.host import Diagnosis
    from reconciler.model.receiver import Receiver

URL = "https://git.example/desk/config.git"


def receivers(*entries: dict[str, Any]) -> tuple[Receiver, ...]:
    return parse_receivers(entries, lambda *_: "")


def said(found: Iterable[Diagnosis]) -> list[tuple[Grade, str]]:
    return [(one.grade, f"{one.message} {one.hint}") for one in found]


@pytest.mark.parametrize(
    ("entry", "grade", "words"),
    [
        ({"kind": "webhook", "url": "https://h/x", "secret": "x" * 16, "on": ["live"]}, Grade.OK, "is told of live"),
        ({"kind": "webhook", "url": "https://h/x"}, Grade.OK, "unsigned"),
        ({"kind": "webhook", "url": "https://h/x", "secret": "short"}, Grade.WARNING, "guessed"),
        ({"kind": "webhook", "url": "http://h/x"}, Grade.WARNING, "https://"),
        ({"kind": "webhook", "url": "https://h/x", "ca_cert": "/none.pem"}, Grade.PROBLEM, "/none.pem"),
        ({"kind": "telegram", "token": "1:x", "chat": "-1"}, Grade.OK, "telegram is told of"),
        ({"kind": "gitlab", "token": "t"}, Grade.OK, "desk/config at https://git.example/api/v4"),
    ],
)
def test_what_the_settings_say(entry: dict[str, Any], grade: Grade, words: str) -> None:
    ((found, text),) = said(check_receivers(receivers(entry), URL))
    assert found is grade
    assert words in text


def test_a_forge_that_nothing_leads_to_is_a_problem() -> None:
    ((grade, text),) = said(check_receivers(receivers({"kind": "github", "token": "t"}), "/srv/desk"))
    assert grade is Grade.PROBLEM
    assert "OWNER/NAME" in text


def test_each_receiver_is_sent_a_test_message() -> None:
    forge = Forge("gitea")
    with receiving() as good, receiving(lambda sent: (404, {}, b"")) as bad, receiving(forge.answer) as site:
        told = receivers(
            {"kind": "webhook", "name": "desk", "url": f"{good.url}/hunter2"},
            {"kind": "webhook", "name": "ops", "url": f"{bad.url}/hunter2"},
            {"kind": "gitea", "token": TOKEN},
        )
        found = said(try_receivers(told, replace(ORIGIN, url=f"{site.url}/desk/config"), NOON))
        wrong = said(try_receivers(told[2:], replace(ORIGIN, url=f"{site.url}/desk/other"), NOON))
    assert [grade for grade, _ in found] == [Grade.OK, Grade.PROBLEM, Grade.OK]
    assert (wrong[0][0], "desk/other" in wrong[0][1]) == (Grade.PROBLEM, True)
    assert good.sent[0].json["title"] == "vps-ldn-01: a test message"
    assert "hunter2" not in str(found)
    assert forge.statuses == []
