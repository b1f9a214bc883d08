# Two commands do everything on a fresh machine: `make demo` and `make test`. They need python3 >= 3.11 with venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCAL := $(VENV)/.local
DEV := $(VENV)/.dev
WORKER := .venv-worker
WORKER_BENCHES := saturation endurance
BENCHES := $(filter-out $(WORKER_BENCHES),$(basename $(notdir $(shell grep -ls '^def main' bench/*.py))))

# Each of the hundreds of processes that the tests start would compile all of it anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-google test-worker check fmt bench bench-worker pins clean

demo: $(LOCAL)  ## set up, and convert a scanned PDF
	@$(BIN)/pagemill convert docs/samples/scan.pdf -o demo-out
	@cat demo-out/scan/result.md

test: $(DEV)  ## all that runs on one machine; a backend that is missing skips, with CI=true it fails
	$(BIN)/pytest -m "not google"

test-google: $(DEV)  ## the same promises on Google's services, by their emulators (Java 11 or newer)
	$(BIN)/pytest -m google

test-worker: $(WORKER)/.dev  ## the engine on the real paddleocr, in an environment of its own (libGL and glib come with the system)
	$(WORKER)/bin/pytest -c tests_paddle/pytest.ini tests_paddle

check: $(DEV)  ## format, lint, strict types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV)  ## every benchmark, measured here and now
	@for name in $(BENCHES); do echo "== bench.$$name"; $(BIN)/python -m bench.$$name || exit 1; done

bench-worker: $(WORKER)/.dev  ## the benchmarks that run the real paddleocr, an hour
	@for name in $(WORKER_BENCHES); do echo "== bench.$$name"; $(WORKER)/bin/python -m bench.$$name || exit 1; done

pins: $(DEV)  ## write requirements.txt (what Google's functions install) and requirements/*.txt anew, with hashes
	$(BIN)/uv pip compile pyproject.toml $(PINNED) --extra google -o requirements.txt
	$(BIN)/uv pip compile $(COMPILE) --extra local -o requirements/local.txt
	$(BIN)/uv pip compile $(COMPILE) --extra dev -o requirements/dev.txt
	$(BIN)/uv pip compile $(COMPILE_WORKER) --extra worker --extra google -o requirements/worker.txt
	$(BIN)/uv pip compile $(COMPILE_WORKER) --extra worker-dev -o requirements/worker-dev.txt

COMPILE = pyproject.toml requirements/build.in requirements/opencv.in --override requirements/overrides.txt $(PINNED)
# Without the headless build of OpenCV: the library looks for its own by the package's name.
COMPILE_WORKER = pyproject.toml requirements/build.in $(PINNED)
PINNED = --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet

$(LOCAL): requirements/local.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "pagemill needs python3 >= 3.11, this is " + sys.version)'
	@echo "Setting up $(VENV) (a minute or two, once)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/local.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements/dev.txt $(LOCAL)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

$(WORKER)/.dev: requirements/worker-dev.txt pyproject.toml
	@echo "Setting up $(WORKER) (some minutes, once)" >&2
	@test -x $(WORKER)/bin/python || $(PYTHON) -m venv $(WORKER)
	@$(WORKER)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/worker-dev.txt
	@$(WORKER)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

clean:
	rm -rf $(VENV) $(WORKER) demo-out
