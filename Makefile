# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Test files that run at a time; those that drive a browser run after them, one by one.
WORKERS ?= 2

.PHONY: demo test test-fast lint app bench lock clean

demo: $(READY)
	@$(BIN)/looktwice pull pocket
	@$(BIN)/looktwice demo --out demo-out

test: $(READY)
	@$(BIN)/looktwice pull pocket
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not browser"
	$(BIN)/python -m pytest -m browser

test-fast: $(READY)
	$(BIN)/python -m pytest -m "not weights and not data and not slow"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy assistant prompts adapters eval

app: $(READY)
	@$(BIN)/looktwice pull pocket
	$(BIN)/looktwice app

bench: $(READY)
	@$(BIN)/looktwice pull pocket
	$(BIN)/looktwice eval ../shared/data elpv:mono elpv:poly textiles --mode mutual --limit 160 --out results.json

# After `make clean test`: the versions of everything installed, without what only tells builds of one version apart.
lock: $(READY)
	@echo '# Versions that the tests passed with, on Python 3.11 and Linux; made by `make lock`.' > requirements.lock
	$(BIN)/python -m pip list --disable-pip-version-check --format=freeze --exclude-editable \
		| sed 's/+.*//' | LC_ALL=C sort -f >> requirements.lock

# The first time this takes a few minutes, most of it for torch.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed.")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --editable ".[ui,lvlm,samples,dev]"
	@touch $(READY)

clean:
	rm -rf $(VENV) build dist demo-out *.egg-info
