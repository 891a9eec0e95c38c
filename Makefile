# A clone and one `make` are all a newcomer needs.
.DEFAULT_GOAL := help
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

.PHONY: help demo test test-container lint format docs bench texts lighthouse screenshots vendor clean

help:  ## Say what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

demo: .venv/demo.stamp  ## Serve the default demo on http://localhost:5000
	@$(BIN)/podium demo $(ARGS)

test: .venv/test.stamp  ## Install what the tests need and run all of them
	@sh scripts/setup packages
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/bandit -q -r src -c pyproject.toml
	$(BIN)/pytest -n 2 --dist loadgroup $(ARGS)

test-container: .venv/container.stamp  ## Build containers with a real engine, and run them; as root
	@sh scripts/setup container-packages
	$(BIN)/pytest tests/container $(ARGS)

lint: .venv/test.stamp  ## Check style and types alone
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/bandit -q -r src -c pyproject.toml

format: .venv/test.stamp  ## Put the code into its format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: .venv/test.stamp  ## Write the generated part of docs/reference again
	$(BIN)/python docs/generate.py

bench: .build/bench/bench.stamp  ## Measure Podium against a hand-written server and the raw loop
	@sh scripts/setup bench-packages
	.build/bench/venv/bin/python -m benchmarks $(ARGS)

texts: .venv/test.stamp  ## Collect the page's texts into their catalogue again
	$(BIN)/python scripts/texts.py

lighthouse: .venv/test.stamp .build/lighthouse/lighthouse.stamp  ## Score the page: at least 95 of 100 in each category
	@$(BIN)/python -m scripts.lighthouse.score .build/lighthouse/node_modules/.bin/lighthouse

screenshots: .venv/test.stamp  ## Take the pictures of the page in docs/images again
	@sh scripts/setup packages
	@$(BIN)/python -m scripts.screenshots $(ARGS)

vendor:  ## Copy the page's pinned npm files into the package again
	@$(PYTHON) scripts/vendor.py $(ARGS)

clean:  ## Remove what was installed and built
	rm -rf .venv .build

.venv/demo.stamp: pyproject.toml constraints.txt scripts/setup
	@PYTHON='$(PYTHON)' sh scripts/setup venv .venv '.[sklearn]'
	@touch $@

.venv/test.stamp: pyproject.toml constraints.txt scripts/setup
	@PYTHON='$(PYTHON)' sh scripts/setup venv .venv '.[all,dev]'
	@touch $@ .venv/demo.stamp

.venv/container.stamp: .venv/test.stamp tests/container/requirements.txt
	@PYTHON='$(PYTHON)' sh scripts/setup venv .venv '.[all,dev]' tests/container/requirements.txt
	@touch $@

.build/bench/bench.stamp: pyproject.toml constraints.txt benchmarks/requirements.txt scripts/setup
	@PYTHON='$(PYTHON)' sh scripts/setup venv .build/bench/venv '.[sklearn]' benchmarks/requirements.txt
	@touch $@

.build/lighthouse/lighthouse.stamp: scripts/lighthouse/package.json scripts/lighthouse/package-lock.json scripts/setup
	@sh scripts/setup lighthouse .build/lighthouse
	@touch $@
