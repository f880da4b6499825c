"""What somebody meant who typed a command or an option that there is not: a slip, or a word of another tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.errors import UsageError
from reconciler.words import closest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COMMAND_WORDS = {
    "sync": "apply deploy reconcile up update upgrade refresh pull fetch push trigger converge",
    "plan": "preview dry-run dryrun what-if whatif simulate changes",
    "get": "describe ls list cat read inspect view select find search rows resources",
    "validate": "lint check vet test tests compile build",
    "fmt": "format prettier tidy beautify fix",
    "set": "edit patch modify change put",
    "new": "create add generate make scaffold",
    "init": "bootstrap setup quickstart install begin",
    "run": "start serve daemon server agent controller listen",
    "suspend": "pause freeze stop disable lock hold cordon",
    "resume": "unpause continue unfreeze unsuspend unlock enable thaw uncordon",
    "rollback": "undo downgrade back roll-back",
    "status": "health ping info ps top summary",
    "status --wait": "wait rollout await",
    "uses": "refs references dependents rdeps used-by graph tree dependencies",
    "why": "reason because",
    "open": "dashboard ui web browse browser gui",
    "logs": "journal tail logfile",
    "log": "events commits revisions versions audit reflog",
    "history": "changelog timeline",
    "show": "checkout snapshot at",
    "diff": "compare cmp difference",
    "blame": "annotate praise who",
    "verify": "fsck prove integrity",
    "doctor": "diagnose diag troubleshoot preflight",
    "backup": "dump save",
    "restore": "recover load",
    "token": "login auth tokens secret",
    "sql": "query duckdb shell console db",
    "session list": "sessions logins",
    "schema list": "kinds schemas api-resources types crd crds",
    "schema show": "explain fields doc docs",
    "policy test": "policies rules opa conftest",
    "drift": "detect",
    "drift --heal": "heal repair self-heal",
    "service install": "daemonize systemd",
    "completion": "completions autocomplete",
    "--help": "help usage man commands",
    "--version": "version ver",
}
"""What other tools call what a command does here: those of Kubernetes, Argo CD, Flux, Terraform, decK, git and gh."""

ADVICE = {
    "revert": "use git: `git revert SHA`, and push: what was before goes live like any commit",
    "delete": "delete its file in git, and commit: `reconciler plan` shows what becomes of the row",
    "rm": "delete its file in git, and commit: `reconciler plan` shows what becomes of the row",
    "destroy": "delete its file in git, and commit: `reconciler plan` shows what becomes of the row",
    "clone": "use git: `git clone URL`, or name the repository with --repo URL",
    "config": "settings are in reconciler.toml, RECONCILER_… variables and options: see docs/settings.md",
}
"""What to do where no command does it. A command of that name, once there is one, is found before."""

GROUP_WORDS = {
    "list": "ls all index",
    "show": "describe view cat get explain",
    "get": "describe show view cat",
    "create": "new add start begin login open",
    "expire": "delete rm remove end close kill logout revoke stop",
    "touch": "use renew refresh keepalive extend ping",
    "test": "run check verify exec",
    "export": "write dump save generate",
    "new": "create add make init",
    "install": "create add enable start",
    "remove": "uninstall delete rm disable stop",
}
"""The same for what stands below a command, such as `session`."""

OPTION_WORDS = {
    "--output": ("--format",),
    "-o": ("--format",),
    "--json": ("--format json",),
    "--yaml": ("--format",),
    "--print": ("--format",),
    "--repository": ("--repo",),
    "--directory": ("--repo",),
    "--cwd": ("--repo",),
    "--chdir": ("--repo",),
    "-C": ("--repo",),
    "--source": ("--repo",),
    "--ref": ("--at", "--branch"),
    "--revision": ("--at", "--head", "--branch"),
    "--rev": ("--at", "--head", "--branch"),
    "--commit": ("--at", "--head"),
    "--as-of": ("--at",),
    "--target-revision": ("--head", "--branch"),
    "--data-dir": ("--state",),
    "--settings": ("--config",),
    "--kubeconfig": ("--config",),
    "--silent": ("--quiet",),
    "--debug": ("--verbose",),
    "--trace": ("--verbose",),
    "--count": ("--limit",),
    "--max": ("--limit",),
    "--max-count": ("--limit",),
    "--number": ("--limit",),
    "--lines": ("--limit",),
    "--tail": ("--limit",),
    "--last": ("--limit",),
    "--after": ("--since", "--after"),
    "--before": ("--until",),
    "--from": ("--since", "--base"),
    "--against": ("--base",),
    "--dry-run": ("--check",),
    "--auto-approve": ("--approve",),
    "--yes": ("--approve",),
    "--message": ("--reason",),
    "-m": ("--reason",),
    "--for": ("--until",),
    "--duration": ("--until",),
    "--timeout": ("--wait",),
    "--severity": ("--level",),
    "--output-dir": ("--to",),
    "--out": ("--to", "--format"),
    "--fix": ("--heal",),
    "--repair": ("--heal",),
    "--follow": ("--watch", "--wait"),
    "--selector": ("--label",),
    "--listen": ("--port",),
}
"""Options of other tools, and those that may do the same here; the first that a command has is meant."""

OPTION_ADVICE = {
    "--dry-run": "`reconciler plan` shows what would change, and writes nothing",
    "--no-color": "set NO_COLOR=1",
    "--color": "set FORCE_COLOR=1, or NO_COLOR=1",
    "--prune": "what becomes of rows that left git is in reconciler.yaml: spec.prune",
    "--namespace": "there are no namespaces: --repo and --state say which host is meant",
    "--context": "there are no contexts: --repo and --state say which host is meant",
}
"""What to do where no option does it."""


def understand_usage(error: click.ClickException) -> UsageError:
    """The error of a command line that click did not understand, with what was meant as its hint."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return UsageError(error.format_message(), hint="see `reconciler --help`")
    see = f"see `{context.command_path} --help`"
    if isinstance(error, click.NoSuchCommand) and isinstance(context.command, click.Group):
        name = " ".join([*context.command_path.split()[1:], error.command_name])
        known = context.command.list_commands(context)
        hint = _meant_below(error.command_name, known) if context.parent else _meant_command(error.command_name, known)
        return UsageError(f"there is no command {name}", hint=hint or see)
    if isinstance(error, click.NoSuchOption):
        options = [option for parameter in context.command.get_params(context) for option in parameter.opts]
        hint = _meant_option(error.option_name, options) or see
        return UsageError(f"there is no option {error.option_name}", hint=hint)
    return UsageError(error.format_message(), hint=see)


def _meant_command(word: str, known: Iterable[str]) -> str:
    """The hint for a word that is no command."""
    if advice := ADVICE.get(word.lower()):
        return advice
    here = {*known, "--help", "--version"}
    others = {meaning: words for meaning, words in COMMAND_WORDS.items() if meaning.split()[0] in here}
    return _meant(word, known, others) or _meant_kind(word)


def _meant_below(word: str, known: Iterable[str]) -> str:
    """The hint for a word that is no command of a group."""
    return _meant(word, known, {meaning: words for meaning, words in GROUP_WORDS.items() if meaning in known})


def _meant(word: str, known: Iterable[str], others: Mapping[str, str]) -> str:
    meanings = {other: meaning for meaning, words in others.items() for other in words.split()}
    other = meanings.get(word.lower())
    found = other or closest(word, known) or meanings.get(closest(word, meanings) or "")
    return f"did you mean {found}?" if found else ""


def _meant_kind(word: str) -> str:
    """The hint for a kind that stands where a command should: its rows are meant."""
    from reconciler.wiring.bundled import bundled_kinds

    return f"did you mean get {word.lower()}?" if bundled_kinds().kinds.find(word) else ""


def _meant_option(word: str, options: Iterable[str]) -> str:
    """The hint for an option that a command has not."""
    for option in OPTION_WORDS.get(word, ()):
        if option.split()[0] in options:
            return f"did you mean {option}?"
    if advice := OPTION_ADVICE.get(word):
        return advice
    found = closest(word, options)
    return f"did you mean {found}?" if found else ""
