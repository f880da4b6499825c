"""Installs reconciler, as it is in this checkout, for one job of GitHub Actions; the step's output is `python`.

It goes into a virtual environment of its own: what else the job installs is neither changed nor in the way. A second
step with the same action finds it there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OLDEST = (3, 11)
PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")


def main() -> int:
    """The exit code: that of pip, or 3 when this Python is too old."""
    if sys.version_info < OLDEST:
        here = ".".join(map(str, sys.version_info[:2]))
        sys.stdout.write(
            f"::error title=reconciler::Python 3.11 or newer is needed, this is {here} (set the input python-version)\n"
        )
        return 3
    place = Path(os.environ["RUNNER_TEMP"]).resolve() / "reconciler-venv"
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = place / "installed-from"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != str(ROOT):
        venv.create(place, with_pip=True, clear=True)
        pip = [str(python), *PIP, "install", "--quiet", "--constraint", str(ROOT / "constraints.txt"), str(ROOT)]
        code = subprocess.run(pip, check=False).returncode
        if code != 0:
            return code
        stamp.write_text(str(ROOT), encoding="utf-8")
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8", newline="\n") as outputs:
        outputs.write(f"python={python}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
