"""`python -m reconciler_ci github|gitlab-validate|gitlab-plan`."""

from __future__ import annotations

import argparse
import io
import os
import sys
from typing import NoReturn

from reconciler_ci import github, gitlab
from reconciler_ci.actions import Actions
from reconciler_ci.review import FAILED

YES = "true"
JOBS = ("github", "gitlab-validate", "gitlab-plan")


class Parser(argparse.ArgumentParser):
    """A parser whose refusal is exit code 3: 2 means that something differs."""

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End the program."""
        super().exit(FAILED if status else 0, message)


def main(arguments: list[str]) -> int:
    """Run one job and return its exit code."""
    parser = Parser(prog="reconciler_ci", description="What CI does with a change")
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("--path", default=".", help="folder where the configuration begins")
    parser.add_argument("--base", default="", help="what to compare with; default: what the pipeline knows")
    parser.add_argument("--comment", default=YES, help="`true` to write a comment")
    given = parser.parse_args(arguments)
    if given.job == "github":
        wish = github.Wish(given.path or ".", given.base, given.comment == YES)
        return github.run(wish, Actions(os.environ))
    job = gitlab.validate if given.job == "gitlab-validate" else gitlab.plan
    return job(given.path or ".", given.base, os.environ)


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")
    sys.exit(main(sys.argv[1:]))
