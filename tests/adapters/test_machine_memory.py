"""What a process has freed goes back to the system."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from reconciler.adapters.machine import return_freed_memory

FREE_MOST = """
from pathlib import Path
from reconciler.adapters.machine import return_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

values = [bytes(200) for number in range(500_000)]
kept = values[::1_000]  # one in each two hundred kilobytes: no block of a megabyte is free
del values
before = resident()
return_freed_memory()
print(before - resident(), before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_pages_between_values_that_stay_are_given_back() -> None:
    variables = {**os.environ, "PYTHONMALLOC": "malloc"}
    done = subprocess.run([sys.executable, "-c", FREE_MOST], env=variables, capture_output=True, text=True, check=True)
    returned, before = map(int, done.stdout.split())
    assert returned > before / 2


def test_it_is_asked_for_on_any_system() -> None:
    return_freed_memory()
