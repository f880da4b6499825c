# Two commands are all a newcomer needs: `make run` and `make test`.
# Both work from a fresh clone, and again without a network once .venv is there.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)

.PHONY: setup run docs test lint types types-of-windows bench slow soak try-ci clean

setup: $(VENV)/.embedded

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11 …") if sys.version_info < (3, 11) else 0'
	@echo "setup: making $(VENV), some seconds"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# A stamp for each extra: it is installed only when what it holds has changed.
$(VENV)/.embedded: $(VENV)/.created pyproject.toml constraints.txt
	@$(BIN)/python deploy/install.py embedded
	@touch $@

$(VENV)/.dev: $(VENV)/.embedded
	@$(BIN)/python deploy/install.py dev
	@touch $@

run: setup
	@$(BIN)/reconciler run --example .run

# A site for any web server, in build/site.
docs: setup $(VENV)/.dev
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "the documentation is in build/site; to look at it: $(BIN)/mkdocs serve"

lint: setup $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@$(MAKE) --no-print-directory --jobs=2 types types-of-windows
	$(BIN)/lint-imports

# Both at once: without their caches each takes twelve seconds of one core.
types:
	$(BIN)/mypy

types-of-windows:
	$(BIN)/mypy --platform win32 --no-warn-unreachable --cache-dir .mypy_cache/windows

test: lint
	$(BIN)/pytest

bench: setup $(VENV)/.dev
	@if command -v npm >/dev/null; then npm ci --prefix benchmarks/ajv --no-audit --no-fund --silent; \
	else echo "bench: without ajv-cli: there is no npm"; fi
	$(BIN)/python -m benchmarks

# What a desk must survive, tried on whole daemons, servers and browsers, and the laws on more examples. CI runs it after
# `make test`.
slow: export HYPOTHESIS_PROFILE := full
slow: setup $(VENV)/.dev
	$(BIN)/pytest -m "(slow or hypothesis) and not soak"

# What takes minutes: two hundred kills, two thousand random events (TEST_SEED repeats a run, TEST_EVENTS is how many), a day's
# worth of commits, ten thousand forged webhooks. And the laws on all of their examples.
soak: export HYPOTHESIS_PROFILE := soak
soak: setup $(VENV)/.dev
	$(BIN)/pytest -n 0 -s -m soak
	$(BIN)/pytest -m "hypothesis and not soak"

# What only a network shows: the action and the hooks install reconciler anew.
try-ci: setup $(VENV)/.dev
	$(BIN)/pytest -n 0 tests/ci/online.py

clean:
	rm -rf $(VENV) .run .mypy_cache .ruff_cache .pytest_cache .hypothesis
