"""No call that Windows lacks stands where Windows comes to it. `make lint` has mypy look at the types there, too.

Sources: the "Availability" notes of the Python library reference.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.deploy.livecode import live, verdict
from tests.docs.markdown import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


def words(text: str) -> frozenset[str]:
    """A set of names."""
    return frozenset(text.split())


MODULES = words("""
    curses fcntl grp posix pty pwd readline resource syslog termios tty
    watchdog.observers.fsevents watchdog.observers.inotify watchdog.observers.inotify_c watchdog.observers.kqueue
""")
ATTRIBUTES = {
    "os": words("""
        fork forkpty register_at_fork posix_spawn nice getpriority setpriority getloadavg
        getuid geteuid getgid getegid getgroups getpgid getpgrp setsid setuid setgid setpgid setpgrp
        killpg wait wait3 wait4 waitid WNOHANG WIFEXITED WIFSIGNALED WEXITSTATUS WTERMSIG EX_OK EX_USAGE
        chown lchown fchown fchmod chroot mkfifo mknod openpty ttyname tcgetpgrp ctermid
        pread pwrite preadv pwritev posix_fadvise posix_fallocate sendfile lockf sync statvfs fstatvfs
        uname confstr pathconf sysconf sched_getaffinity sched_setaffinity sched_yield
        O_NOFOLLOW O_DIRECTORY O_CLOEXEC O_NONBLOCK O_SYNC O_DSYNC O_TMPFILE O_PATH
        kill
    """),
    "signal": words("""
        SIGKILL SIGHUP SIGUSR1 SIGUSR2 SIGALRM SIGPIPE SIGCHLD SIGQUIT SIGSTOP SIGTSTP SIGCONT SIGWINCH SIGTTIN
        SIGTTOU SIGXCPU SIGXFSZ alarm pause setitimer getitimer pthread_sigmask pthread_kill sigpending sigwait
        sigwaitinfo sigtimedwait siginterrupt
    """),
    "socket": words("AF_UNIX AF_NETLINK AF_PACKET SO_REUSEPORT SO_PEERCRED SCM_RIGHTS CMSG_LEN"),
    "select": words("poll epoll kqueue devpoll"),
    "time": words("tzset clock_gettime clock_gettime_ns clock_settime pthread_getcpuclockid"),
}
"""`os.kill` is there, and something else: any signal ends a process at once, and 0 is Ctrl+C."""

ARGUMENTS = frozenset({"preexec_fn", "start_new_session", "process_group", "pass_fds", "dir_fd"})
"""Of `subprocess.Popen` and `os`: Windows refuses them, or does as if they were not there."""
METHODS = frozenset({"add_signal_handler", "create_unix_server", "create_unix_connection"})
"""Of asyncio's event loop."""

MEANT = (
    ("reconciler.adapters.redis.server", "start_new_session=", "no wheel brings a server for Windows"),
    ("reconciler.adapters.redis.server", "os.kill", "a server of before is to end, and ends at once there"),
)
"""What a module may do all the same, and why."""

SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "reconciler").rglob("*.py"))
}


def offences(tree: ast.Module) -> Iterator[str]:
    """What Windows comes to and lacks: line and name."""
    names = {alias.asname or alias.name: alias.name for alias in _aliases(tree)}
    for node in live(tree):
        match node:
            case ast.Import(names=aliases):
                yield from (f"{node.lineno}: import {one.name}" for one in aliases if one.name in MODULES)
            case ast.ImportFrom(module=str(module), names=aliases):
                lacking = ATTRIBUTES.get(module, frozenset())
                found = [one.name for one in aliases if module in MODULES or one.name in lacking]
                yield from (f"{node.lineno}: from {module} import {one}" for one in found)
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if attribute in ATTRIBUTES.get(
                names.get(name, ""), ()
            ):
                yield f"{node.lineno}: {names[name]}.{attribute}"
            case ast.Attribute(attr=attribute) if attribute in METHODS:
                yield f"{node.lineno}: .{attribute}"
            case ast.keyword(arg=str(argument), value=value) if argument in ARGUMENTS and verdict(value) is not False:
                yield f"{value.lineno}: {argument}="
            case ast.Dict(keys=keys):
                texts = [key.value for key in keys if isinstance(key, ast.Constant)]
                yield from (f"{node.lineno}: {text!r}: …" for text in texts if text in ARGUMENTS)


def _aliases(tree: ast.Module) -> Iterator[ast.alias]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from node.names


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}


@pytest.mark.slow
def test_windows_lacks_nothing_that_it_comes_to(trees: dict[str, ast.Module]) -> None:
    found = [f"{name}:{one}" for name, tree in trees.items() for one in offences(tree)]
    for name, what, _ in MEANT:
        meant = [one for one in found if one.startswith(f"{name}:") and one.endswith(f": {what}")]
        assert len(meant) == 1, f"{name}: {what} is not there, or not once"
        found.remove(meant[0])
    assert found == [], "give it another branch: if sys.platform == 'win32': …"


def test_the_whole_program_is_looked_at() -> None:
    assert {"reconciler.adapters.lock", "reconciler.cli.main", "reconciler.adapters.git.run"} <= set(SOURCES)


@pytest.mark.parametrize(
    "source",
    [
        "import fcntl",
        "import os\nos.geteuid()",
        "import os as system\nsystem.fork()",
        "from signal import SIGKILL",
        "import os, signal\nos.kill(1, signal.SIGTERM)",
        "import subprocess\nsubprocess.run([], start_new_session=True)",
        "options = {'process_group': 0}",
        "import sys\nif sys.platform == 'win32':\n    import fcntl",
        "import sys\nif sys.platform == 'linux':\n    pass\nelse:\n    import fcntl",
        "import os, sys\nif sys.platform == 'win32':\n    pass\nos.fork()",
        "import os, sys\nif sys.platform != 'win32' or True:\n    os.fork()",
        "import os, sys\ndef one(some):\n    if some and sys.platform == 'win32':\n        return\n    os.fork()",
        "import os, sys\nsome = sys.platform == 'win32' and os.fork()",
        "async def one(loop):\n    loop.add_signal_handler(15, print)",
    ],
)
def test_what_windows_lacks_is_found(source: str) -> None:
    assert len([*offences(ast.parse(source))]) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nif sys.platform != 'win32':\n    import fcntl",
        "import sys\nif sys.platform == 'win32':\n    import msvcrt\nelse:\n    import fcntl",
        "import sys\nif sys.platform == 'linux':\n    import fcntl",
        "import os\nif os.name == 'posix':\n    os.fork()",
        "import os, sys\ndef one():\n    if sys.platform == 'win32':\n        return None\n    return os.geteuid()",
        "import os, sys\ndef one(some):\n    if sys.platform == 'win32' or some:\n        return\n    os.fork()",
        "import os, sys\nsome = None if sys.platform == 'win32' else os.geteuid()",
        "import os, sys\nsome = sys.platform != 'win32' and os.geteuid()",
        "import os, sys\nsome = not sys.platform == 'win32' and os.geteuid()",
        "import signal\nsome = getattr(signal, 'SIGKILL', signal.SIGTERM)",
        "import subprocess, sys\nsubprocess.run([], start_new_session=sys.platform != 'win32')",
        "import shutil\nshutil.chown",
    ],
)
def test_what_has_another_branch_is_none(source: str) -> None:
    assert [*offences(ast.parse(source))] == []
