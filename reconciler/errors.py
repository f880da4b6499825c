"""The errors a caller can act on: try again later, call a human, or report a bug.

A wrong configuration is none of them: it is a `Problem`, a value. These are raised when the tool itself
could not do its work. The command line logs each once and turns it into exit code 3.
"""


class ReconcilerError(Exception):
    """The tool could not do its work; `hint` says what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class RetryLater(ReconcilerError):
    """A machine, network or lock failed: the same call may work later."""


class InUse(RetryLater):
    """Another process has a file open, which is free the moment that this one closes it."""


class NeedsHuman(ReconcilerError):
    """Trying again will not help: a setting, a repository, a permission has to change first."""


class BranchError(NeedsHuman):
    """The followed branch cannot be followed as the repository is now, so what is live stays live.

    `reason` is one CamelCase word for why, and begins the text; `message` is the rest of it.
    """

    def __init__(self, reason: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{reason}: {message}", hint=hint)
        self.reason, self.message = reason, message


class UsageError(NeedsHuman):
    """The request names something that does not exist: a wrong option, path, kind or revision."""


class RefusedError(ReconcilerError):
    """The request is refused for somebody's reason, such as a suspension of reconciling."""


class TooLarge(ReconcilerError):
    """What a commit or a folder brings exceeds a limit: that is its own fault."""


def too_many_paths(limit: int) -> TooLarge:
    """More paths than `limits.paths` allows."""
    return TooLarge(f"more than {limit:,} paths", hint="bring them in several commits, or raise limits.paths")


def too_many_bytes(limit: int) -> TooLarge:
    """More bytes of files than `limits.yaml_mb` allows."""
    megabytes = limit >> 20
    return TooLarge(
        f"more than {megabytes:,} MB of files", hint="bring them in several commits, or raise limits.yaml_mb"
    )


class BrokenTree(ReconcilerError):
    """A commit has a tree that git would not have written: its own fault. `flaws` are paths, and what is wrong."""

    def __init__(self, message: str, *, hint: str = "", flaws: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.flaws = flaws


def broken_tree(*flaws: tuple[str, str]) -> BrokenTree:
    """One or more flaws in the trees of a commit."""
    hint = "make the folder anew with git rm and git add; later commits are judged without this one"
    return BrokenTree("; ".join(f"{path}: {what}" for path, what in flaws), hint=hint, flaws=flaws)


class BugError(ReconcilerError):
    """An invariant of the program itself does not hold."""
