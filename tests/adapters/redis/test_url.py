"""What `redis.url` may be, how it is read, and that what is wrong with it is told without its passwords."""

from __future__ import annotations

import pytest

from reconciler.adapters.redis.connection import connect
from reconciler.adapters.redis.url import read_url
from reconciler.errors import UsageError
from reconciler.settings import load


@pytest.mark.parametrize(
    ("url", "place", "options"),
    [
        ("redis://", "localhost:6379", {}),
        ("redis://h", "h:6379", {}),
        ("redis://me:s%40cret@h:1/2", "h:1", {"username": "me", "password": "s@cret", "db": 2}),
        ("redis://:s@[::1]", "[::1]:6379", {"password": "s"}),
        ("redis://h/?db=3", "h:6379", {"db": 3}),
        ("unix:///run/valkey%20.sock?password=s&db=1", "/run/valkey .sock", {"password": "s", "db": 1}),
        ("unix://me:s@/run/v.sock", "/run/v.sock", {"username": "me", "password": "s"}),
        (
            "rediss://h?ssl_ca_certs=/ca.pem&ssl_cert_reqs=CERT_REQUIRED&ssl_check_hostname=False&socket_timeout=0.5",
            "h:6379",
            {
                "ssl_ca_certs": "/ca.pem",
                "ssl_cert_reqs": "required",
                "ssl_check_hostname": False,
                "socket_timeout": 0.5,
            },
        ),
        ("redis+sentinel://a,b:1,[::1]:2/desk", "desk (Sentinel a:26379, b:1, [::1]:2)", {}),
        ("rediss+sentinel://a/my%2Fdesk/4?username=me", "my/desk (Sentinel a:26379)", {"username": "me", "db": 4}),
    ],
)  # fmt: skip
def test_what_is_one(url: str, place: str, options: dict[str, object]) -> None:
    found = read_url(url)
    assert (found.place, dict(found.options)) == (place, options)
    assert found.tls == url.startswith("rediss")
    assert "s@cret" not in repr(found)


def test_sentinels_have_a_login_of_their_own() -> None:
    found = read_url("redis+sentinel://me:pw@a/desk?sentinel_username=x&sentinel_password=y%20z")
    assert (found.nodes, found.service) == ((("a", 26379),), "desk")
    assert found.options == {"username": "me", "password": "pw"}
    assert found.sentinel_options == {"username": "x", "password": "y z"}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", ""),
        ("localhost:6379", ""),
        ("sentinel://h/desk", ""),
        ("redis+sentinel://[::1/desk", ""),
        ("redis://h?colour=hidden", "there is no parameter colour"),
        ("redis://h?passwort=hidden", "there is no parameter passwort"),
        ("redis://h?health_check_interval=30", "there is no parameter health_check_interval"),
        ("redis://h?db=1&db=2", "it has db twice"),
        ("redis://h?ssl_ca_certs=/ca.pem", "ssl_ca_certs is for TLS"),
        ("redis://h?sentinel_password=hidden", "sentinel_password is for Sentinels"),
        ("redis://h/desk", "no number of a database"),
        ("redis://h?db=hidden", "db is no number of a database"),
        ("redis://h?password=", "password is empty"),
        ("redis://h?socket_timeout=0", "socket_timeout is no number of seconds"),
        ("redis://h?socket_timeout=soon", "socket_timeout is no number of seconds"),
        ("rediss://h?ssl_check_hostname=perhaps", "ssl_check_hostname is true or false"),
        ("rediss://h?ssl_cert_reqs=maybe", "ssl_cert_reqs is one of required, optional, none"),
        ("redis://:hid#den@h", "#"),
        ("redis://a,b", "several servers"),
        ("redis://h:port", "a host is written host:6379"),
        ("redis://h:99999", "a host is written host:6379"),
        ("redis://::1", "a host is written host:6379"),
        ("unix://socket", "it names no socket"),
        ("redis+sentinel:///desk", "it names no Sentinel"),
        ("redis+sentinel://a", "does not say what they call the primary"),
        ("redis+sentinel://a/desk/x", "no number of a database"),
    ],
)
def test_what_is_none_is_told_without_what_is_secret(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=r"redis\.url is no URL of a Redis server") as caught:
        connect(url)
    assert words in str(caught.value)
    assert caught.value.hint
    assert "hid" not in str(caught.value) + caught.value.hint


def test_a_parameter_that_is_nearly_one_is_hinted_at() -> None:
    with pytest.raises(UsageError) as caught:
        connect("rediss://h?ssl_ca_cert=/ca.pem")
    assert caught.value.hint == "did you mean ssl_ca_certs?"


def test_no_password_of_a_url_is_shown() -> None:
    url = "redis+sentinel://:p%40w@[::1],[::2]/desk?sentinel_password=s%2Bn&ssl_password=k"
    secrets = load(None, {}, {"RECONCILER_REDIS_URL": url}).secrets
    assert {"p%40w", "p@w", "s+n", "k"} <= set(secrets)
    assert load(None, {}, {"RECONCILER_REDIS_URL": "redis://:x@[::1"}).secrets == ("x", "x")
