"""Signatures of webhooks, without a server: genuine ones are understood, all others refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.grants import path_secret
from reconciler.web import webhooks
from reconciler.web.webhooks import WINDOW, Event, Refusal, Verdict, is_path, verify
from tests.web.deliveries import NAMES, STANDARD_SECRET, delivery, lowered
from tests.web.harness import SECRET, signed

NOW = 1_790_000_000.0
OTHER_SECRET = "another secret"
SIGNED = [name for name in NAMES if not name.startswith(("gitlab-token", "gitlab-tag", "gitlab-server"))]
TIMED = ("generic-push.http", "generic-empty.http", "gitlab-signed.http")


@pytest.mark.parametrize("name", NAMES)
def test_a_documented_delivery_is_understood(name: str) -> None:
    sent = delivery(name, NOW)
    verdict = verify(lowered(sent), sent.body, sent.secret, NOW)
    assert isinstance(verdict, Verdict)
    found = (verdict.forge, str(verdict.event), verdict.branch or "-", verdict.delivery or "-")
    assert (found[0], found[1], found[3]) == (sent.expected[0], sent.expected[1], sent.expected[3])
    assert verdict.event is not Event.PUSH or found[2] == sent.expected[2]


@pytest.mark.parametrize("name", NAMES)
def test_one_with_another_secret_is_refused(name: str) -> None:
    sent = delivery(name, NOW, "whsec_" + base64.b64encode(b"x" * 32).decode() if "signed" in name else OTHER_SECRET)
    assert isinstance(verify(lowered(sent), sent.body, sent.secret, NOW), Refusal)


@pytest.mark.parametrize("name", SIGNED)
def test_one_whose_body_was_changed_is_refused(name: str) -> None:
    sent = delivery(name, NOW)
    assert isinstance(verify(lowered(sent), sent.body + b" ", sent.secret, NOW), Refusal)


@pytest.mark.parametrize("name", NAMES)
def test_one_without_its_signature_is_refused(name: str) -> None:
    sent = delivery(name, NOW)
    bare = {name: value for name, value in lowered(sent).items() if "signature" not in name and "token" not in name}
    assert isinstance(verify(bare, sent.body, sent.secret, NOW), Refusal)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_secret_nothing_is_genuine(name: str) -> None:
    sent = delivery(name, NOW)
    assert isinstance(verify(lowered(sent), sent.body, "", NOW), Refusal)


@pytest.mark.parametrize(
    ("header", "signature", "secret", "body"),
    [
        (
            "x-hub-signature-256",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            SECRET,
            b"Hello, World!",
        ),
        (
            "x-hub-signature",
            "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
            SECRET,
            b"Hello World!",
        ),
        (
            "webhook-signature",
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            b'{"test": 2432232314}',
        ),
    ],
    ids=["GitHub's example", "Bitbucket's example", "Standard Webhooks' example"],
)
def test_the_signatures_of_the_documentations_match(header: str, signature: str, secret: str, body: bytes) -> None:
    headers = {header: signature, "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330"}
    assert isinstance(verify(headers, body, secret, 1614265330), Verdict)


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize(
    ("later", "genuine"), [(WINDOW, True), (-WINDOW, True), (WINDOW + 1, False), (-WINDOW - 1, False)]
)
def test_a_signature_with_a_time_holds_for_five_minutes(name: str, later: int, genuine: bool) -> None:
    sent = delivery(name, NOW)
    assert isinstance(verify(lowered(sent), sent.body, sent.secret, NOW + later), Verdict) == genuine


def test_the_time_is_part_of_what_is_signed() -> None:
    sent = delivery("generic-push.http", NOW)
    headers = lowered(sent)
    headers["x-reconciler-signature"] = headers["x-reconciler-signature"].replace("t=179", "t=279")
    assert isinstance(verify(headers, sent.body, SECRET, NOW + 1_000_000_000), Refusal)


def test_one_of_several_signatures_is_enough() -> None:
    message = f"{int(NOW)}.".encode()
    both = f"t={int(NOW)},v1={signed(OTHER_SECRET, message)},v1={signed(SECRET, message)}"
    assert isinstance(verify({"x-reconciler-signature": both}, b"", SECRET, NOW), Verdict)
    flood = f"t={int(NOW)}," + f"v1={'0' * 64}," * 1000 + f"v1={signed(SECRET, message)}"
    assert isinstance(verify({"x-reconciler-signature": flood}, b"", SECRET, NOW), Refusal)


def test_a_wrong_signature_is_not_made_good_by_another_one() -> None:
    sent = delivery("forgejo-push.http", NOW)
    headers = lowered(sent) | {"x-forgejo-signature": "0" * 64}
    assert headers["x-hub-signature-256"] == f"sha256={signed(SECRET, sent.body)}"
    assert isinstance(verify(headers, sent.body, SECRET, NOW), Refusal)


def test_a_timed_delivery_replayed_as_an_untimed_one_is_no_push() -> None:
    """The HMAC of `TIME.BODY` is also that of a body that reads so: no forge sends such a body, for it is not JSON."""
    sent = delivery("generic-push.http", NOW)
    body = f"{int(NOW)}.".encode() + sent.body
    headers = {"x-hub-signature-256": f"sha256={signed(SECRET, body)}", "x-github-event": "push"}
    verdict = verify(headers, body, SECRET, NOW + 10 * WINDOW)
    assert isinstance(verdict, Verdict)
    assert verdict.event is Event.OTHER


def test_a_signing_token_checks_the_signature_even_beside_a_good_token() -> None:
    sent = delivery("gitlab-signed.http", NOW)
    headers = lowered(sent) | {"x-gitlab-token": STANDARD_SECRET}
    assert isinstance(verify(headers, sent.body, STANDARD_SECRET, NOW), Verdict)
    assert isinstance(verify(headers, sent.body + b" ", STANDARD_SECRET, NOW), Refusal)


def test_a_secret_that_is_no_signing_token_still_checks_the_token() -> None:
    sent = delivery("gitlab-signed.http", NOW)
    headers = lowered(sent) | {"x-gitlab-token": SECRET}
    assert isinstance(verify(headers, sent.body, SECRET, NOW), Verdict)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_no base64!"])
def test_a_signing_token_without_a_key_opens_nothing(secret: str) -> None:
    empty = {"webhook-id": "a", "webhook-timestamp": str(int(NOW)), "webhook-signature": "v1,"}
    assert isinstance(verify(empty, b"{}", secret, NOW), Refusal)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"push"', b"[" * 100_000, b"1" * 100_000, b"\xff\xfe", b'{"a":' * 50_000],
    ids=lambda body: body[:8],
)
def test_a_body_that_makes_no_sense_is_no_push(body: bytes) -> None:
    headers = {"x-hub-signature-256": f"sha256={signed(SECRET, body)}", "x-github-event": "push"}
    verdict = verify(headers, body, SECRET, NOW)
    assert isinstance(verdict, Verdict)
    assert verdict.event is Event.OTHER


@pytest.mark.parametrize(
    "text",
    [
        '{"ref": 1}',
        '{"ref": "refs/tags/v1"}',
        '{"push": {"changes": [{}, 1]}}',
        '{"push": {"changes": [{"new": null, "old": null}]}}',
        '{"changes": [{"ref": {"type": "TAG", "displayId": "v1"}}]}',
        '{"changes": "x"}',
        '{"push": []}',
        '{"changes": [{"ref": {"type": "BRANCH", "displayId": ["main"]}}]}',
        '{"object_kind": ["push"], "event_name": {}}',
    ],
)
@pytest.mark.parametrize("event", ["x-github-event", "x-event-key", "x-gitlab-event"])
def test_a_strange_payload_names_no_branch(text: str, event: str) -> None:
    body = text.encode()
    signature = {"x-github-event": "x-hub-signature-256", "x-event-key": "x-hub-signature"}.get(event)
    headers = {signature: f"sha256={signed(SECRET, body)}"} if signature else {"x-gitlab-token": SECRET}
    verdict = verify({**headers, event: "push"}, body, SECRET, NOW)
    assert isinstance(verdict, Verdict)
    assert verdict.branch is None


@pytest.mark.parametrize("given", ["a b", "x\ny", "é", "x" * 65, "%s", "<script>"])
def test_a_delivery_name_that_could_spoil_a_log_is_left_out(given: str) -> None:
    headers = {"x-hub-signature-256": f"sha256={signed(SECRET, b'{}')}", "x-github-delivery": given}
    verdict = verify(headers, b"{}", SECRET, NOW)
    assert isinstance(verdict, Verdict)
    assert verdict.delivery == ""


HEADERS = [
    "x-reconciler-signature",
    "webhook-signature",
    "webhook-timestamp",
    "webhook-id",
    *("x-gitlab-token", "x-forgejo-signature", "x-gitea-signature", "x-hub-signature-256", "x-hub-signature"),
]


@given(
    headers=st.dictionaries(st.sampled_from(HEADERS), st.text(st.characters(codec="latin-1"), max_size=40), min_size=1),
    body=st.binary(max_size=40),
    secret=st.sampled_from([SECRET, STANDARD_SECRET]),
)
def test_nothing_made_up_is_genuine_or_breaks_anything(headers: dict[str, str], body: bytes, secret: str) -> None:
    assert isinstance(verify(headers, body, secret, NOW), Refusal)


def test_the_path_follows_from_the_secret_and_gives_nothing_away() -> None:
    path = path_secret(SECRET)
    assert len(path) == 32
    assert path != path_secret(OTHER_SECRET)
    assert is_path(path, SECRET)
    assert not is_path(path[:-1], SECRET)
    assert not is_path(path.upper(), SECRET) or path.upper() == path
    assert not is_path(path_secret(""), "")


def test_every_comparison_takes_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is genuine was found so by `hmac.compare_digest`, which is switched off here."""
    monkeypatch.setattr(webhooks.hmac, "compare_digest", lambda a, b: False)
    for name in NAMES:
        sent = delivery(name, NOW)
        assert isinstance(verify(lowered(sent), sent.body, sent.secret, NOW), Refusal)
    assert not is_path(path_secret(SECRET), SECRET)
