# Everything that is done with a checkout, on a machine with Python (3.11 to 3.13) and make.
# PYTHON=python3.12 make run  chooses another interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= auto
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run test lint types check bench lock clean

run: $(VENV)/run.stamp  ## start everything; Ctrl-C stops it
	$(BIN)/python -m config.run

test: $(VENV)/dev.stamp  ## all tests, on real servers and in a real browser where there is one
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal --junit-xml reports.xml

lint: $(VENV)/dev.stamp  ## style, layers, migrations, deployment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	BASE_URL=https://trophycase.example.com $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run

types: $(VENV)/dev.stamp  ## mypy, strict
	$(BIN)/mypy

check: lint types test  ## what a change must pass

bench: $(VENV)/dev.stamp  ## measure; the numbers are printed
	$(BIN)/python -m pytest -m bench --capture=no

lock:  ## write the exact versions and hashes of every dependency (needs uv)
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -o requirements.txt
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -o requirements-dev.txt

clean:  ## remove what can be made again; the data in .trophycase stays
	rm -rf $(VENV) reports.xml .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info[:2] <= (3, 13) or sys.exit("Trophycase runs on Python 3.11 to 3.13; this is %d.%d. Name another: make PYTHON=python3.12 run" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt | $(BIN)/python
	$(PIP) install --require-hashes --requirement requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt | $(BIN)/python
	$(PIP) install --require-hashes --requirement requirements-dev.txt
	@touch $@ $(VENV)/run.stamp
