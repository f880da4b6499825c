"""One name for a repository, however its URL is spelled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.ledger.names import name_repository

SPELLINGS = {
    "forge.example.com/desk/config": [
        "https://forge.example.com/desk/config",
        "https://forge.example.com/desk/config.git",
        "https://forge.example.com/desk/config/",
        "https://forge.example.com/desk/config.git/",
        "HTTPS://Forge.Example.COM:443/desk/config.git",
        "https://robot:secret@forge.example.com/desk/config.git",
        "http://forge.example.com:80/desk/config",
        "https://forge.example.com:/desk/config",
        "ssh://git@forge.example.com/desk/config.git",
        "ssh://git@forge.example.com:22/desk/config.git",
        "git+ssh://git@forge.example.com:22/desk/config.git",
        "git://forge.example.com:9418/desk/config",
        "git@forge.example.com:desk/config.git",
        "git@forge.example.com:/desk/config",
        "forge.example.com:desk/config",
        "https://forge.example.com/desk/config.git//",
        "https://forge.example.com/des%6B/config",
    ],
    "forge.example.com/desk/config//trading/live": [
        "https://forge.example.com/desk/config.git//trading/live",
        "git@forge.example.com:desk/config//trading/live",
    ],
    "forge.example.com:8443/config": ["https://forge.example.com:8443/config.git"],
    "[::1]:8443/config": ["https://[::1]:8443/config/"],
    "[::1]/config": ["git@[::1]:config.git", "ssh://git@[::1]/config"],
    "/srv/my config": ["/srv/my config", "file:///srv/my%20config", "file://localhost/srv/my%20config"],
    "/srv/config.git": ["/srv/config.git", "file:///srv/config.git"],
    "/srv/config//trading": ["/srv/config//trading", "file:///srv/config//trading"],
    "C:/config": ["C:/config", "file:///C:/config"],
    "C:\\config": ["C:\\config"],
    "trading": ["trading"],
}


@pytest.mark.parametrize(("name", "url"), [(name, url) for name, urls in SPELLINGS.items() for url in urls])
def test_spellings_of_one_repository_have_one_name(name: str, url: str) -> None:
    assert name_repository(url) == name


def test_repositories_that_differ_have_names_that_differ() -> None:
    others = [
        "https://forge.example.com/desk/Config",
        "https://forge.example.com/desk",
        "https://example.com/desk/config",
    ]
    names = [*SPELLINGS, *map(name_repository, others)]
    assert len(set(names)) == len(names)


LABELS = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
URLS = st.one_of(
    st.text(max_size=40),
    st.builds(
        "{}://{}{}{}/{}{}".format,
        st.sampled_from(["https", "ssh", "http", "git", "file"]),
        st.sampled_from(["", "git@", "a:b@"]),
        LABELS,
        st.sampled_from(["", ":443", ":8443", ":"]),
        st.lists(LABELS, max_size=3).map("/".join),
        st.sampled_from(["", ".git", "/", ".git/", "//folder"]),
    ),
    st.builds("{}{}:{}".format, st.sampled_from(["", "git@"]), LABELS, st.lists(LABELS, min_size=1).map("/".join)),
)


@given(URLS)
def test_a_name_stands_for_itself_and_tells_no_login(url: str) -> None:
    name = name_repository(url)
    assert name_repository(name) == name
    if url.startswith("https://a:b@"):
        assert "a:b@" not in name
