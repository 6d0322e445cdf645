PYTHON ?= python3
BACKEND ?= tensorflow jax torch
BIN := .venv/bin

# The release that the tests were run with.
TORCH := torch==2.13.0

.PHONY: train test lint

train: .venv/installed
	$(BIN)/python apps/compare.py --dataset=digits --model=resnet8 \
		--label_noise=0.4 --epochs=60 --batch_size=64 --epsilon=0.5 \
		--methods=erm,amp,amp-eighth:epsilon=1 --seeds=1 --output_dir=runs/wrong-labels

# All backends one after the other, or one: `make test BACKEND=jax`.
test: lint $(BACKEND:%=test-%)

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

test-%: .venv/installed-test .venv/installed-%
	KERAS_BACKEND=$* $(BIN)/python -m pytest -n 2 --dist loadfile

.venv/installed: setup.cfg pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "Python 3.11 or later is needed; name one by" \
		"\`make PYTHON=python3.12 ...\`. Received: $$($(PYTHON) --version)"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[apps]"
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

.venv/installed-tensorflow: .venv/installed
	touch $@

.venv/installed-jax: .venv/installed-test
	$(BIN)/python -m pip install --quiet --editable ".[jax]"
	touch $@

.venv/installed-torch: .venv/installed-test
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable ".[torch]"
	touch $@
