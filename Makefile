# `make demo` and `make test` are all a newcomer needs; each builds .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist worksteal
# These find units, read texts and files, call interfaces, or stop runs: on another processor they would say the same.
SAME = $(patsubst %,tests/test_%.py,units removal language_groups language_removal language_data language_documents estimators exchange cards docs \
       fuzz files integrity store store_changes faults study_faults interrupts threads process_state process_public dependencies bounded_tasks \
       properties_sculpting narrow_checkpoint wrapped_models typing result_report report_browser memory_growth)
# What is run with the lowest versions: every part once, without the extras.
CORE = $(patsubst %,tests/test_%.py,sculpt sculpt_modules sparse_module units reading_models network checkpoint estimators exchange \
       narrow graph unit_graph detection detection_options hierarchy consensus comparison verdicts truth_table evidence drawing figures)
ENGINE = sculpting $(filter-out $(SAME), $(shell grep -lE '^ *(from|import) sculpting' tests/test_*.py))

N ?= 20000
SEED ?= 2000000

.PHONY: demo test test-slow test-portable test-lowest fuzz check wheel bench docs clean

demo: $(VENV)/.core
	$(BIN)/sculpting demo

test: $(VENV)/.test
	$(PYTEST)

test-slow: $(VENV)/.test
	$(BIN)/python -m pytest -m slow

# Mutated inputs for every reader, with limits of time and memory for each: N of them in all.
fuzz: $(VENV)/.test
	cd tests && ../$(BIN)/python -m fuzz.table --inputs $(N) --seed $(SEED) --out ../docs/notes/fuzz.md

# Every file that imports sculpting, as on processors without AVX-512 and without AVX2, and with another BLAS.
test-portable: $(VENV)/.test
	ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 $(PYTEST) $(ENGINE)
	ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_CBWR=COMPATIBLE $(PYTEST) $(ENGINE)

# With the lowest versions that pyproject.toml admits, on Python 3.11.
test-lowest:
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --constraint constraints-lowest.txt . pytest pytest-xdist hypothesis pandas
	.venv-lowest/bin/python -m pytest --numprocesses auto --dist worksteal $(CORE)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file= --strict --follow-imports=silent --cache-dir=.mypy_cache/strict tests/strict_user.py

wheel: $(VENV)/.dev
	rm -rf dist
	$(BIN)/python -m build --wheel --outdir dist .
	$(BIN)/python tests/check_wheel.py dist/*.whl
	$(BIN)/python tests/check_readme.py dist/*.whl

bench: $(VENV)/.core
	$(BIN)/python benchmarks/foundation.py
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/detection.py

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	$(INSTALL) .
	touch $@

$(VENV)/.test $(VENV)/.dev $(VENV)/.docs: $(VENV)/.%: $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	$(INSTALL) ".[$*]"
	touch $@

clean:
	rm -rf $(VENV) .venv-lowest dist build site runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
