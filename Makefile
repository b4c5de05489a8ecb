# make demo   what netopt does, on real networks: core install only
# make test   every check, with every extra
# make check  the static checks alone
# make gpu    tests and measurements on a GPU; CUDA=13 where the driver has CUDA 13
PYTHON ?= python3
CUDA ?= 12
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test check gpu clean

demo: .venv/core.stamp
	$(BIN)/python examples/demo.py

test: check
	$(BIN)/python -m pytest -n 2

check: .venv/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

gpu: .venv/gpu.stamp
	$(BIN)/python -m pytest -m gpu
	$(BIN)/python benchmarks/gpu/run.py
	$(BIN)/python benchmarks/gpu/end_to_end.py

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "netopt needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv .venv

.venv/core.stamp: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable .
	touch $@

.venv/dev.stamp: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable '.[all,dev]'
	touch .venv/core.stamp $@

.venv/gpu.stamp: .venv/dev.stamp
	$(PIP) --editable '.[all,dev,cuda$(CUDA)]'
	touch $@

clean:
	rm -rf .venv build *.egg-info
