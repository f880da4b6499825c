"""What may happen to a host on random days: functions, each of which gives False where the moment does not allow it.

Each event has a chance of its own and asks for nothing that was before, so that any part of a script is one as well.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from reconciler.adapters.redis.connection import connect
from tests.running.days import RISK, USERS
from tests.running.expected import LIMIT
from tests.support import configs
from tests.support.daemons import RunningDaemon, turn, until
from tests.support.patience import DEADLINE
from tests.support.processes import await_end, children

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.running.days import Days

HEALS_PER_MINUTE = 4
"""A row that is edited more often is left to whoever edits it."""


# What happens to the repository


def lower(days: Days) -> bool:
    return _commit_one(days, 0.1, LIMIT)


def raise_too_far(days: Days) -> bool:
    return _commit_one(days, LIMIT + 1, 9)


def _commit_one(days: Days, least: float, most: float) -> bool:
    if days.expected.head is None:
        return False
    days.commit({days.chance.choice(USERS): days.risk(least, most)})
    return True


def mistype(days: Days) -> bool:
    if days.expected.head is None:
        return False
    days.commit({days.chance.choice(USERS): None})
    return True


def mend_all(days: Days) -> bool:
    if days.expected.head is None:
        return False
    days.commit({name: days.risk(0.1, LIMIT) for name in USERS})
    return True


def push_several(days: Days) -> bool:
    if days.expected.head is None:
        return False
    with days.host.repo.bulk():  # they are on the branch at once
        for _ in range(days.chance.randrange(2, 6)):
            days.chance.choice((lower, lower, raise_too_far, mistype, mend_all))(days)
    return True


def force_push(days: Days) -> bool:
    line = days.expected.line() if days.expected.head else []
    back = days.chance.randrange(1, 4)
    if back >= len(line):
        return False
    days.commit({days.chance.choice(USERS): days.risk(0.1, LIMIT)}, line[back])
    return True


def go_back(days: Days) -> bool:
    """The branch is put to an older commit, and nothing on top of it."""
    line = days.expected.line() if days.expected.head else []
    back = days.chance.randrange(1, 3)
    if back >= len(line):
        return False
    days.point(line[back])
    return True


def tag_like_the_branch(days: Days) -> bool:
    commits = list(days.expected.commits)
    days.host.repo.git("tag", "--force", days.expected.branch, days.chance.choice(commits))
    return True


def delete_the_branch(days: Days) -> bool:
    if days.expected.head is None:
        return False
    days.host.repo.git("update-ref", "-d", days.ref)
    days.last, days.expected.head = days.expected.head, None
    return True


def rename_the_branch(days: Days) -> bool:
    if days.expected.head is None:
        return False
    days.away = f"trunk-{days.number}"
    days.number += 1
    days.host.repo.git("branch", "-m", days.expected.branch, days.away)
    if days.expected.checked_out == days.expected.branch:
        days.expected.checked_out = days.away
    days.last, days.expected.head = days.expected.head, None
    return True


def bring_it_back(days: Days) -> bool:
    if days.expected.head is not None:
        return False
    if days.away:
        days.host.repo.git("branch", "-m", days.away, days.expected.branch)
        if days.expected.checked_out == days.away:
            days.expected.checked_out = days.expected.branch
        days.expected.head, days.away = days.last, ""
    else:
        line = days.expected.line(days.last)
        days.point(days.chance.choice((days.last, *line[:3])))
    return True


def follow_the_new_name(days: Days) -> bool:
    """The settings name the branch as it is called now; that takes another start."""
    if not days.away:
        return False
    was_up = days.daemon is not None
    if was_up:
        days.stop()
    days.host.settings["REPOSITORY_BRANCH"] = days.away
    days.expected.branch, days.expected.head, days.expected.named = days.away, days.last, True
    days.away = ""
    if was_up:
        days.start()
    return True


def switch_the_checkout(days: Days) -> bool:
    if days.expected.checked_out != days.expected.branch or days.expected.head is None:
        return False
    other = f"pr-{days.number}"
    days.number += 1
    files = {"ann.yaml": configs.user("ann", risk=days.risk(0.1, LIMIT))}
    days.host.repo.commit(files, "For review", branch=other, parents=[days.expected.head])
    days.host.repo.git("symbolic-ref", "HEAD", f"refs/heads/{other}")
    days.expected.checked_out = other
    return True


def switch_back(days: Days) -> bool:
    if days.expected.checked_out == days.expected.branch:
        return False
    days.host.repo.git("symbolic-ref", "HEAD", days.ref)
    days.expected.checked_out = days.expected.branch
    return True


# What people do with the host


def approve(days: Days) -> bool:
    expected = days.expected
    if expected.suspended or expected.hold:
        return False
    commit = expected.newest_valid()
    if commit is None or not expected.is_refused(commit):
        return False
    expected.reconcile(by_daemon=days.daemon is not None, approved=commit)
    days.run("sync", "--approve", commit, code=0 if commit == expected.head else 1)
    return True


def suspend(days: Days) -> bool:
    days.run("suspend", "--reason", "a look at it", code=0)
    days.expected.suspended = True
    return True


def resume(days: Days) -> bool:
    days.run("resume", code=0)
    days.expected.suspended = False
    return True


# What happens to the process


def kill_it(days: Days) -> bool:
    """A power cut at any moment."""
    if days.daemon is None:
        return False
    time.sleep(days.chance.uniform(0, 0.3))
    days.kill()
    _start_or_not(days)
    return True


def kill_in_a_sync(days: Days) -> bool:
    """A power cut soon after a push."""
    if days.daemon is None or not push_several(days):
        return False
    time.sleep(days.chance.uniform(0, days.chance.choice((0.03, 0.1, 0.4))))
    days.kill()
    _start_or_not(days)
    return True


def kill_while_it_starts(days: Days) -> bool:
    if days.daemon is None:
        return False
    days.kill()
    lower(days)
    days.daemon = RunningDaemon(days.host.origin, days.host.state, days.host.settings)
    time.sleep(days.chance.uniform(0, 1.5))
    days.kill()
    days.start()
    return True


def kill_a_command(days: Days) -> bool:
    """A power cut in the middle of a `sync` without a daemon."""
    if days.daemon is not None or not push_several(days):
        return False
    settings = os.environ | {f"RECONCILER_{name}": value for name, value in days.host.settings.items()}
    words = ["sync", "--repo", days.host.origin, "--state", str(days.host.state)]
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler", *words], env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    time.sleep(days.chance.uniform(0.2, 1.5))
    started = children(process.pid)
    process.kill()
    process.communicate()
    await_end(started, DEADLINE)
    return True


def restart(days: Days) -> bool:
    if days.daemon is None:
        return False
    days.stop()
    if days.expected.named and days.chance.random() < 0.5:
        days.expected.named = False
        del days.host.settings["REPOSITORY_BRANCH"]
    days.start()
    return True


def stop_it(days: Days) -> bool:
    if days.daemon is None:
        return False
    days.stop()
    return True


def start_it(days: Days) -> bool:
    if days.daemon is not None:
        return False
    days.start()
    return True


def _start_or_not(days: Days) -> None:
    if days.chance.random() < 0.9:
        days.start()


# What others do to the stores


def edit_rows(days: Days) -> bool:
    """Somebody writes into the live rows; it is found, and healed."""
    name = days.chance.choice(USERS)
    recent = [at for at in days.edits.get(name, []) if time.monotonic() - at < 70]
    if len(recent) >= HEALS_PER_MINUTE:
        return False
    days.edits[name] = [*recent, time.monotonic()]
    who = f"user_id = (SELECT user_id FROM desired.user_config WHERE name = '{name}')"
    edit = days.chance.choice((f"UPDATE user_config SET {RISK} = 9", "DELETE FROM user_config"))
    with turn(days.host.state) as store:
        store.execute(f"{edit} WHERE {who}")
    if days.daemon is None or days.expected.suspended or days.chance.random() < 0.5:
        days.run("drift", "--heal", code=0)
    else:
        until(lambda: days.rows() == days.expected.live, days.why)
    return True


def edit_redis(days: Days) -> bool:
    """Somebody writes into the live view; it is found, and healed."""
    name, ghost = days.chance.choice(USERS), f"config:user:ghost-{len(days.expected.commits)}"
    with connect(days.redis, answer_timeout=5) as link:
        place, ids = f"config:user:{name}", link.ask("KEYS", "config:user:id:*")
        row = link.ask("GET", place) or b"{}"
        altered = json.dumps({**json.loads(row), RISK: 9.0}) if row.startswith(b"{") else "{}"
        edits = [
            *([("SET", place, altered), ("DEL", place)] * 2),
            ("SET", place, "no JSON"),
            ("SET", ghost, altered),
            ("DEL", "config:meta"),
            ("HSET", "config:meta", "commit", days.chance.choice(("0" * 40, "somebody"))),
            ("HSET", "config:meta", "bytes", "-5"),
            ("ZREM", "config:rows", f"user:{name}"),
            ("DEL", days.chance.choice(("config:rows", "config:sizes"))),
            ("FLUSHDB",),
            *([("DEL", *ids), ("SET", ids[0], "somebody"), ("COPY", ids[0], ghost)] if ids else []),
        ]
        link.ask(*days.chance.choice(edits))
        if days.daemon is not None:
            days.run("drift", "--heal", code=0)
            until(lambda: not link.ask("EXISTS", ghost), days.why)
    return True


EVENTS: dict[Callable[[Days], bool], int] = {
    lower: 50,
    raise_too_far: 30,
    mistype: 20,
    mend_all: 25,
    push_several: 12,
    force_push: 20,
    go_back: 6,
    tag_like_the_branch: 8,
    delete_the_branch: 6,
    rename_the_branch: 6,
    bring_it_back: 40,
    follow_the_new_name: 10,
    switch_the_checkout: 5,
    switch_back: 20,
    approve: 25,
    suspend: 8,
    resume: 16,
    kill_it: 3,
    kill_in_a_sync: 5,
    kill_while_it_starts: 1,
    kill_a_command: 20,
    restart: 2,
    stop_it: 1,
    start_it: 150,
    edit_rows: 8,
    edit_redis: 20,
}
"""What may happen, and how often of so many times."""
