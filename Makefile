# Every target sets up its own environment in .venv when there is none.
PYTHON ?= python3
PYTHON_OLDEST ?= python3.11
BIN := .venv/bin
OLDEST := .venv-oldest/bin

.PHONY: demo test test-all test-oldest lint bench clean

.venv/installed: pyproject.toml
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

# The oldest versions that pyproject.toml allows, of what it names itself.
.venv-oldest/installed: pyproject.toml
	test -d .venv-oldest || $(PYTHON_OLDEST) -m venv .venv-oldest
	$(OLDEST)/pip install --quiet --disable-pip-version-check uv
	$(OLDEST)/uv pip install --quiet --python $(OLDEST)/python --resolution lowest-direct -e '.[dev]'
	touch $@

demo: .venv/installed
	$(BIN)/augan demo --out demo-output

test: .venv/installed
	$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder

test-all: .venv/installed
	$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder -m 'slow or not slow'

test-oldest: .venv-oldest/installed
	$(OLDEST)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python benchmarks/detection.py --data ../shared/data/adbench_classical

clean:
	rm -rf .venv .venv-oldest demo-output build *.egg-info
