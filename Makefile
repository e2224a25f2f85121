# Every target sets up its own environment in .venv when there is none.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-all lint bench clean

.venv/installed: pyproject.toml
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

demo: .venv/installed
	$(BIN)/augan demo --out demo-output

test: .venv/installed
	$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder

test-all: .venv/installed
	$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder -m 'slow or not slow'

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python benchmarks/detection.py --data ../shared/data/adbench_classical

clean:
	rm -rf .venv demo-output build *.egg-info
