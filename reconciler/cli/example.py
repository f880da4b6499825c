"""The example repository: a copy to run a daemon on."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from reconciler.adapters.bundled import find_example_repository
from reconciler.wiring.local import scratch_repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONFIG, STATE = "config", "state"
MAINTAINER = ("Maren Holt", "maren@desk.example")
FILE, FIELD, VALUES = "users/fx-majors-01.yaml", "risk_per_trade_percent", ("0.75", "0.5")
"""What a newcomer is told to change, from one of the values to the other."""


def prepare(folder: Path) -> Mapping[str, str]:
    """Make the copy a repository in `folder`, unless it is there; the settings that lead to it and its state folder."""
    config = folder / CONFIG
    if not (config / ".git").exists():
        shutil.copytree(find_example_repository(), config, dirs_exist_ok=True)
        repository = scratch_repository(config)
        repository.commit("Bring the desk's configuration under review", MAINTAINER)
        repository.sign_as(MAINTAINER)
    return {"repository.url": str(config), "state.dir": str(folder / STATE)}


def advice(folder: Path, address: str, program: str) -> tuple[str, ...]:
    """What to look at, and a change to try: lines for people. `program` is how they start this one."""
    config = folder / CONFIG
    old, new = VALUES if f"{FIELD}: {VALUES[0]}" in (config / FILE).read_text(encoding="utf-8") else VALUES[::-1]
    change = f"sed -i.bak 's/{FIELD}: {old}/{FIELD}: {new}/' {config / FILE}"
    commit = f"git -C {config} commit -qam 'Set the risk on the majors to {new}'"
    look = f"{program} get user fx-majors-01 --repo {config} --state {folder / STATE}"
    return (
        f"the example is a git repository in {config}",
        f"the dashboard is at http://{address}",
        "in another terminal, change a value and watch it go live here:",
        f"  {change} && {commit}",
        f"  {look}",
        "^C ends it",
    )
