# make app | make test | make format are all that most need; see CONTRIBUTING.md.

PYTHON ?= python3
VENV ?= .venv
HOST ?= localhost
PORT ?= 8501

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help app test lint format docs train-deps clean

help:
	@echo "make app         start the app on http://$(HOST):$(PORT) (PORT=, HOST=)"
	@echo "make test        lint, types and every test (PYTEST_ARGS= goes to pytest)"
	@echo "make lint        lint, types and the links of the documents only"
	@echo "make format      format the code and apply the fixes that are safe"
	@echo "make docs        the documents' figures anew from the result files, and their site in site/"
	@echo "make train-deps  what training a new model needs besides"
	@echo "make clean       remove the virtual environment and every cache"

app: $(VENV)/.installed
	$(BIN)/streamlit run app.py --server.address $(HOST) --server.port $(PORT)

# Two processes: the browser's tests wait a good deal, and others go on beside them. A file stays in one of
# them, so that its server starts once.
test: lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mkdocs build --strict --quiet

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed-dev
	$(BIN)/sparsecbm reproduce docs $(addprefix --output ,README.md docs/models.md docs/results.md)
	$(BIN)/mkdocs build --strict --quiet

train-deps: $(VENV)/.installed-train

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .test-artifacts build dist site *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp is newer than the list it was installed from, so that a second `make app` starts at once.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with PYTHON=" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt pyproject.toml | $(BIN)/python
	@echo "Installing what the app needs into $(VENV) (minutes the first time)"
	$(PIP) -r requirements.txt
	$(PIP) --no-deps --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(PIP) -r requirements-dev.txt
	@touch $@

$(VENV)/.installed-train: requirements-train.txt $(VENV)/.installed
	$(PIP) -r requirements-train.txt
	@touch $@
