"""Imported by each Python process that is started with this folder on its path: injects the fault of the test there."""

import tests.support.injected

tests.support.injected.inject_from_environment()
