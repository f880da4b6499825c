"""What goes wrong around a mirror: the remote, the network, the disk, kills and damage."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.git.mirror import Mirror
from reconciler.adapters.git.run import Supervision, run_git
from reconciler.adapters.git.transport import Timeouts
from reconciler.errors import NeedsHuman, RetryLater
from tests.support.gitrepo import GitRepo, environment
from tests.support.patience import until

pytestmark = pytest.mark.slow

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
QUICK = Timeouts(connect=1, stall=1, fetch=0.6, clone=0.6, turn=0.3)


@pytest.fixture
def remote(tmp_path: Path) -> GitRepo:
    """A bare repository with one commit."""
    repo = GitRepo.create(tmp_path / "remote" / "config.git", bare=True)
    repo.commit({"a.yaml": "1", "b.yaml": "2"})
    return repo


@pytest.fixture
def mirror(remote: GitRepo, tmp_path: Path) -> Iterator[Mirror]:
    """A mirror that has fetched once."""
    with Mirror(remote.path.as_uri(), tmp_path / "state") as made:
        made.fetch()
        yield made


def again(mirror: Mirror, timeouts: Timeouts | None = None) -> Mirror:
    """The mirror as the next process has it."""
    return Mirror(mirror.url, mirror.path.parent, timeouts=timeouts)


def running(text: str) -> dict[int, str]:
    """The processes that have a text in their command lines."""
    found = {}
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found[int(place.parent.name)] = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return {pid: line for pid, line in found.items() if text in line}


@contextlib.contextmanager
def mute() -> Iterator[int]:
    """A port where somebody listens and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_remote_that_is_away_for_a_while(remote: GitRepo, mirror: Mirror, tmp_path: Path) -> None:
    head = remote.git("rev-parse", "main")
    remote.path.rename(tmp_path / "away")
    with pytest.raises(RetryLater, match="there is no repository at file://") as caught:
        mirror.fetch()
    assert "address is right" in caught.value.hint
    with mirror.open() as source:
        assert source.resolve("main") == head
    (tmp_path / "away").rename(remote.path)
    assert mirror.fetch().after == head


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1/x.git", "there is no answer from http://127.0.0.1:1/x.git: .*Failed to connect"),
        (f"https://{'a' * 64}.example/x.git", "no address is known .*Could not resolve host"),
        (f"git@{'a' * 64}.example:x.git", "no address is known .*Could not resolve host"),
        ("ssh://git@127.0.0.1:1/x.git", "there is no answer from ssh://git@127.0.0.1:1/x.git: .*Connection refused"),
    ],
)
def test_nobody_there(url: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Mirror(url, tmp_path / "state") as mirror, pytest.raises(RetryLater, match=said) as caught:
        mirror.fetch()
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@linux
@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/x.git", "ssh://git@127.0.0.1:{}/x.git"])
def test_a_remote_that_hangs_is_given_up_with_all_that_was_started(url: str, tmp_path: Path) -> None:
    beats: list[float] = []
    with mute() as port, Mirror(url.format(port), tmp_path / "state", timeouts=QUICK) as mirror:
        with pytest.raises(RetryLater, match=r"was not done after 1 s|there is no answer"):
            mirror.fetch(lambda: beats.append(time.monotonic()))
        assert len(beats) > 5
        until(lambda: not running(str(port)))


@linux
def test_stopping_ends_what_is_under_way_at_once(tmp_path: Path) -> None:
    with mute() as port, Mirror(f"http://127.0.0.1:{port}/x.git", tmp_path / "state") as mirror:
        timer = threading.Timer(0.4, mirror.stop)
        timer.start()
        with pytest.raises(RetryLater, match="was stopped"):
            mirror.fetch()
        timer.join()
        until(lambda: not running(str(port)))
        with pytest.raises(RetryLater):
            mirror.fetch()


@linux
def test_a_group_that_ignores_being_asked_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "stubborn.sh"
    script.write_text('#!/bin/sh\ntrap "" TERM\n(trap "" TERM; sleep 60.125) &\nsleep 60.125\n', newline="\n")
    script.chmod(0o755)
    outcome = run_git(
        ("-c", f"alias.stubborn=!{script}", "stubborn"),
        cwd=tmp_path,
        variables=environment(),
        config={},
        seconds=0.3,
        supervision=Supervision(threading.Event()),
    )
    assert outcome.overdue
    assert not outcome.stopped
    until(lambda: not running("sleep 60.125"))


LEFTOVERS = (
    "HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock", "gc.pid", "refs/heads/main.lock",
    "refs/heads/deep/er.lock", "objects/pack/tmp_pack_a1B2c3", "objects/pack/tmp_idx_a1B2c3",
    "objects/pack/.tmp-77-pack-1.pack", "objects/ab/tmp_obj_Xy12", "objects/info/commit-graphs/commit-graph-chain.lock",
    "objects/pack/multi-pack-index.lock", "objects/incoming-x1/pack/tmp_pack_1",
)  # fmt: skip


def test_what_a_kill_left_behind_is_taken_away(remote: GitRepo, mirror: Mirror) -> None:
    for name in LEFTOVERS:
        (mirror.path / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror.path / name).write_bytes(b"")
    keep = mirror.path / "objects/pack/pack-1.keep"
    keep.write_text("fetch-pack 12345 on host\n")
    ours = mirror.path / "objects/pack/pack-2.keep"
    ours.write_text("kept by hand\n")
    remote.git("update-ref", "-d", "refs/heads/other")
    head = remote.commit({"a.yaml": "2"})
    with again(mirror) as next_one:
        assert next_one.fetch().after == head
    assert [name for name in LEFTOVERS if (mirror.path / name).exists()] == []
    assert not keep.exists()
    assert ours.exists()


@linux
def test_a_git_that_outlives_a_killed_process_is_waited_for(remote: GitRepo, mirror: Mirror) -> None:
    lock = mirror.path / "packed-refs.lock"
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from reconciler.adapters.git.mirror import Mirror\n"
        "Mirror(sys.argv[1], Path(sys.argv[2])).fetch()\n"
    )
    with mute() as port:
        url = f"http://127.0.0.1:{port}/x.git"
        GitRepo(mirror.path).git("config", "remote.origin.url", url)
        with subprocess.Popen([sys.executable, "-c", program, url, str(mirror.path.parent)]) as owner:
            until(lambda: any("remote-http" in line for line in running(url).values()))
            owner.kill()
        left = running(url)
        GitRepo(mirror.path).git("config", "remote.origin.url", mirror.url)
        lock.write_bytes(b"")
        try:
            with again(mirror, QUICK) as next_one:
                with pytest.raises(RetryLater, match="another process is fetching"):
                    next_one.fetch()
                assert lock.exists()
        finally:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
    head = remote.commit({"a.yaml": "2"})
    with again(mirror) as next_one:
        assert next_one.fetch().after == head
    assert not lock.exists()


@posix
def test_killed_at_many_moments_it_goes_on_without_help(remote: GitRepo, mirror: Mirror) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from reconciler.adapters.git.mirror import Mirror\n"
        "print('ready', flush=True)\n"
        "Mirror(sys.argv[1], Path(sys.argv[2])).fetch()\n"
    )
    for number in range(4):
        with remote.bulk():
            for commit in range(120):
                head = remote.commit({f"{commit}.yaml": f"{number}"})
        with subprocess.Popen(
            [sys.executable, "-c", program, mirror.url, str(mirror.path.parent)], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(0.03 * number)
            child.kill()
        with again(mirror) as next_one:
            fetched = next_one.fetch()
            assert (fetched.after, fetched.replaced) == (head, "")
            assert next_one.mend() == ""
    assert list(mirror.path.rglob("*.lock")) + list(mirror.path.rglob("tmp_*")) == []


def pack_everything(mirror: Mirror) -> Path:
    GitRepo(mirror.path).git("repack", "-a", "-d", "-q")
    (pack,) = (mirror.path / "objects/pack").glob("*.pack")
    pack.chmod(0o600)
    return pack


def cut_the_pack(mirror: Mirror) -> None:
    pack = pack_everything(mirror)
    pack.write_bytes(pack.read_bytes()[:-30])


def empty_the_pack(mirror: Mirror) -> None:
    pack_everything(mirror).write_bytes(b"")


def lose_the_pack(mirror: Mirror) -> None:
    pack_everything(mirror).unlink()


def lose_head(mirror: Mirror) -> None:
    (mirror.path / "HEAD").unlink()


def spoil_head(mirror: Mirror) -> None:
    (mirror.path / "HEAD").write_bytes(b"\0" * 41)


def spoil_a_ref(mirror: Mirror) -> None:
    (mirror.path / "refs/heads/main").write_text("no sha at all\n")


def spoil_packed_refs(mirror: Mirror) -> None:
    GitRepo(mirror.path).git("pack-refs", "--all")
    (mirror.path / "packed-refs").write_bytes(b"\xff\0garbage\n")


def lose_the_objects(mirror: Mirror) -> None:
    shutil.rmtree(mirror.path / "objects")


def spoil_the_configuration(mirror: Mirror) -> None:
    (mirror.path / "config").write_text("[core\n")


def empty_the_configuration(mirror: Mirror) -> None:
    (mirror.path / "config").write_bytes(b"")


def lose_a_commit(mirror: Mirror) -> None:
    sha = GitRepo(mirror.path).git("rev-parse", "main")
    (mirror.path / "objects" / sha[:2] / sha[2:]).unlink()


def empty_a_commit(mirror: Mirror) -> None:
    sha = GitRepo(mirror.path).git("rev-parse", "main")
    file = mirror.path / "objects" / sha[:2] / sha[2:]
    file.chmod(0o600)
    file.write_bytes(b"")


def become_a_file(mirror: Mirror) -> None:
    shutil.rmtree(mirror.path)
    mirror.path.write_text("?")


@pytest.mark.parametrize(
    "damage",
    [
        cut_the_pack, empty_the_pack, lose_the_pack, lose_head, spoil_head, spoil_a_ref, spoil_packed_refs,
        lose_the_objects, spoil_the_configuration, empty_the_configuration, lose_a_commit, empty_a_commit,
        become_a_file,
    ],
)  # fmt: skip
def test_a_damaged_mirror_is_set_aside_and_cloned_again(
    damage: Callable[[Mirror], None], remote: GitRepo, mirror: Mirror
) -> None:
    damage(mirror)
    head = remote.commit({"a.yaml": "2"})
    with again(mirror) as next_one:
        fetched = next_one.fetch()
        assert fetched.after == head
        assert fetched.replaced
        assert "\n" not in fetched.replaced
        with next_one.open() as source:
            assert len(list(source.history("main"))) == 2
        assert next_one.mend() == ""
        assert next_one.fetch().replaced == ""
    beside = sorted(path.name for path in mirror.path.parent.iterdir())
    assert beside == ["mirror.git", "mirror.git.corrupt-1", "mirror.git.lock"]


def test_one_damaged_mirror_is_kept(remote: GitRepo, mirror: Mirror) -> None:
    for number in (1, 2):
        lose_head(mirror)
        (mirror.path / f"mark-{number}").touch()
        with again(mirror) as next_one:
            assert next_one.fetch().replaced == "HEAD is missing"
    assert [path.name for path in mirror.path.parent.glob("*.corrupt-*")] == ["mirror.git.corrupt-2"]
    assert (mirror.path.parent / "mirror.git.corrupt-2" / "mark-2").exists()


def test_a_damaged_mirror_serves_until_the_new_one_is_complete(remote: GitRepo, mirror: Mirror, tmp_path: Path) -> None:
    lose_head(mirror)
    remote.path.rename(tmp_path / "away")
    with again(mirror) as next_one:
        with pytest.raises(RetryLater, match="there is no repository at"):
            next_one.fetch()
        with pytest.raises(RetryLater, match=r"is damaged: .*HEAD is missing"):
            next_one.open()
        assert not list(mirror.path.parent.glob("*.corrupt-*"))
        (tmp_path / "away").rename(remote.path)
        assert next_one.fetch().replaced


def test_damage_within_is_found_when_somebody_asks(remote: GitRepo, mirror: Mirror) -> None:
    blob = GitRepo(mirror.path).git("rev-parse", "main:b.yaml")
    (mirror.path / "objects" / blob[:2] / blob[2:]).unlink()
    with again(mirror) as next_one:
        assert next_one.fetch().replaced == ""
        with next_one.open() as source, pytest.raises(NeedsHuman):
            list(source.blobs([blob]))
        assert blob in next_one.mend()
        with next_one.open() as source:
            assert list(source.blobs([blob])) == [(blob, b"2")]
        assert next_one.mend() == ""


def test_damage_that_a_fetch_trips_over_is_mended(remote: GitRepo, mirror: Mirror) -> None:
    text = os.urandom(20_000).hex()
    remote.commit({"big.yaml": text})
    mirror.fetch()
    blob = GitRepo(mirror.path).git("rev-parse", "main:big.yaml")
    (mirror.path / "objects" / blob[:2] / blob[2:]).unlink()
    head = remote.commit({"big.yaml": text[:-9]})
    fetched = mirror.fetch()  # the server sends a difference to what we are taken to have
    assert fetched.after == head
    assert blob in fetched.replaced
    assert mirror.mend() == ""


def test_old_and_odd_histories_are_no_damage(remote: GitRepo, mirror: Mirror) -> None:
    tree = remote.git("rev-parse", "main^{tree}")
    head = remote.raw_commit(f"tree {tree}\nauthor A 0 +0000\ncommitter A 0 +0000\n\nNo e-mail\n".encode())
    assert mirror.fetch().after == head
    assert mirror.mend() == ""


def test_a_remote_that_is_damaged_is_not_our_damage(remote: GitRepo, mirror: Mirror) -> None:
    before = GitRepo(mirror.path).git("rev-parse", "main")
    remote.commit({"a.yaml": "soon gone"})
    remote.loosen()
    blob = remote.git("rev-parse", "main:a.yaml")
    (remote.path / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(RetryLater):
        mirror.fetch()
    assert not list(mirror.path.parent.glob("*.corrupt-*"))
    with mirror.open() as source:
        assert source.resolve("main") == before


def test_a_remote_with_its_history_cut_off_needs_a_human(remote: GitRepo, tmp_path: Path) -> None:
    remote.commit({"a.yaml": "2"})
    GitRepo(tmp_path).git("clone", "-q", "--bare", "--depth=1", remote.path.as_uri(), "shallow.git")
    with Mirror(str(tmp_path / "shallow.git"), tmp_path / "state") as mirror:
        with pytest.raises(NeedsHuman, match="history was cut off in") as caught:
            mirror.fetch()
        assert "--unshallow" in caught.value.hint


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_somebody_elses_repository(remote: GitRepo, mirror: Mirror) -> None:
    os.chown(remote.path, 54321, 54321)
    with pytest.raises(RetryLater, match="another user's repository") as caught:
        mirror.fetch()
    assert "safe.directory" in caught.value.hint


@linux
def test_a_full_disk(remote: GitRepo, mirror: Mirror, tmp_path: Path) -> None:
    head = remote.git("rev-parse", "main")
    big = remote.commit({f"{number}.yaml": os.urandom(4096).hex() for number in range(120)})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(RetryLater):
            mirror.fetch()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with mirror.open() as source:
        assert source.resolve("main") == head
    assert mirror.fetch().after == big
    assert not list(mirror.path.rglob("tmp_*"))


@linux
def test_a_disk_that_is_really_full(remote: GitRepo, tmp_path: Path) -> None:
    state = tmp_path / "small"
    state.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(state)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        with Mirror(remote.path.as_uri(), state) as mirror:
            first = mirror.fetch().after
            remote.commit({f"{number}.yaml": os.urandom(4096).hex() for number in range(120)})
            with pytest.raises(RetryLater, match="the disk has no room") as caught:
                mirror.fetch()
            assert "make room" in caught.value.hint
            with mirror.open() as source:
                assert source.resolve("main") == first
            (state / "ballast").write_bytes(b"\0" * (shutil.disk_usage(state).free - 4096))
            (mirror.path / "HEAD").unlink()
            with pytest.raises(RetryLater, match=r"(?i)no space left"):
                again(mirror).fetch()
    finally:
        subprocess.run(["umount", "--lazy", str(state)], check=True)


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_state_folder_that_cannot_be_written(remote: GitRepo, tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0o500)
    with Mirror(remote.path.as_uri(), tmp_path / "shut" / "state") as mirror, pytest.raises(RetryLater, match="cannot"):
        mirror.fetch()


def test_a_state_folder_that_is_a_file(remote: GitRepo, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("?")
    with Mirror(remote.path.as_uri(), tmp_path / "state") as mirror, pytest.raises(RetryLater, match="cannot write"):
        mirror.fetch()
