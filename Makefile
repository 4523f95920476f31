# Every task of the project. `make` or `make help` lists them.
SHELL := /bin/sh
PYTHON ?= python3
DATA ?= data
SOURCE ?=
HOST ?= 127.0.0.1
PORT ?= 8000
PRESET ?= demo
MODEL ?= runs/models/$(PRESET)
SPLIT ?= val
BASELINES ?= all
# The newest export of DATA, unless DATASET names one; an unfinished one has no manifest.
NEWEST := $(firstword $(shell ls -t $(DATA)/exports/*/manifest.csv 2>/dev/null))
DATASET ?= $(if $(NEWEST),$(patsubst %/manifest.csv,%,$(NEWEST)),$(DATA)/exports)
DEMO := runs/demo
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
READY_STUDY := $(VENV)/.ready-study
READY_TRAIN := $(VENV)/.ready-train
READY_TEST := $(VENV)/.ready-test
PIP := $(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt

# Runs a command and notes its start, its seconds and itself for the page of the demo.
define demo_step
	@echo '$(1)'
	@start=$$(date -u +%Y-%m-%dT%H:%M:%S); clock=$$(date +%s); $(1) && printf '%s\t%s\t%s\n' $$start $$(($$(date +%s) - clock)) '$(1)' >> $(DEMO)/steps.tsv
endef

.DEFAULT_GOAL := help
.PHONY: help setup build-dataset serve decide export train evaluate enhance demo contact-sheets status doctor test check proof format benchmark clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## make the virtual environment with the pinned packages (the others do it when needed)

build-dataset: $(READY)  ## candidates for all scenes: [SOURCE=folder of photos] [DATA=data]; no SOURCE: simulated
	$(RUN) -m builder build $(if $(SOURCE),"$(SOURCE)",--simulated) --data "$(DATA)"

serve: $(READY_STUDY)  ## open the study on DATA in this machine's browser: [DATA=data] [HOST=127.0.0.1] [PORT=8000]
	$(RUN) -m study_app serve --data "$(DATA)" --host "$(HOST)" --port "$(PORT)"

decide: $(READY_STUDY)  ## verdicts and references from the votes: [DRY=1] shows them and writes nothing
	$(RUN) -m study_app decide --data "$(DATA)" $(if $(DRY),--dry-run)

export: $(READY)  ## the dataset for others, from the references of DATA: [OUTPUT=DATA/exports] [VERSION=1.0]
	$(RUN) -m builder export --data "$(DATA)" $(if $(OUTPUT),--output "$(OUTPUT)") $(if $(VERSION),--version "$(VERSION)")

train: $(READY_TRAIN)  ## an enhancer from an exported dataset: [DATASET=newest of DATA/exports] [PRESET=demo] [MODEL=runs/models/PRESET]
	$(RUN) -m trainer train "$(DATASET)" --preset "$(PRESET)" --output "$(MODEL)"
	$(RUN) -m trainer evaluate "$(DATASET)" "$(MODEL)" $(BASELINES) --split val

evaluate: $(READY_TRAIN)  ## the table of MODEL beside the baselines: [SPLIT=val, or test for the last word] [BASELINES=...]
	$(RUN) -m trainer evaluate "$(DATASET)" "$(MODEL)" $(BASELINES) --split "$(SPLIT)"

enhance: $(READY_TRAIN)  ## photographs through MODEL: PHOTOS=folder or files [OUTPUT=runs/enhanced]
	$(RUN) -m trainer enhance "$(MODEL)" $(PHOTOS) --output "$(if $(OUTPUT),$(OUTPUT),runs/enhanced)"

demo: $(READY_STUDY) $(READY_TRAIN)  ## all of it on simulated scenes, up to a trained network and a page that shows it: runs/demo/story.html
	rm -rf $(DEMO)
	mkdir -p $(DEMO)
	$(call demo_step,$(RUN) -m builder simulate --count 24 --size 480x320 --output $(DEMO)/simulated)
	$(call demo_step,$(RUN) -m builder build $(DEMO)/simulated/photos --data $(DEMO))
	$(call demo_step,$(RUN) -m study_app create --open --seed 1 --data $(DEMO))
	$(call demo_step,$(RUN) -m study_app simulate-raters --data $(DEMO))
	$(call demo_step,$(RUN) -m study_app decide --data $(DEMO))
	$(call demo_step,$(RUN) -m study_app report --data $(DEMO))
	$(call demo_step,FOUNDRY_EXPORT_LICENSE=CC0-1.0 $(RUN) -m builder export --data $(DEMO) --version demo)
	$(call demo_step,$(RUN) -m trainer train $(DEMO)/exports/demo --preset demo --output $(DEMO)/models/demo)
	$(call demo_step,$(RUN) -m trainer evaluate $(DEMO)/exports/demo $(DEMO)/models/demo $(BASELINES) --split test --output $(DEMO)/evaluation)
	$(call demo_step,$(RUN) -m trainer enhance $(DEMO)/models/demo $(DEMO)/exports/demo/test/inputs --output $(DEMO)/enhanced)
	$(RUN) -m builder story --data $(DEMO) --evaluation $(DEMO)/evaluation --model $(DEMO)/models/demo --enhanced $(DEMO)/enhanced --output $(DEMO)/story.html

contact-sheets: $(READY)  ## one page per scene with exposures and candidates, in DATA/contact_sheets
	$(RUN) -m builder contact-sheet --data "$(DATA)"

status: $(READY)  ## scenes, stages, failures of DATA
	$(RUN) -m builder status --data "$(DATA)"

doctor: $(READY)  ## is this machine fit for a build?
	$(RUN) -m builder doctor --data "$(DATA)"

test: $(READY_TEST)  ## run the test suite
	$(RUN) -m pytest -n auto --dist worksteal

check: $(READY_TEST)  ## format, lint, types, tests: what has to be green before a commit
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(RUN) -m pytest -n auto --dist worksteal

proof: $(READY_TEST)  ## no vote lost, every pixel in its place: crowds, killed servers, full disks, backups, browsers, a host cut off, the wheel (an hour)
	$(RUN) -m tests.study_app.proof all
	$(RUN) -m tests.cluster two-hosts || test $$? -eq 77  # 77: it takes root and Linux, and says so
	$(RUN) -m tests.wheel

format: $(READY_TEST)  ## bring the code into the project's format
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

benchmark: $(READY_TEST)  ## speed and memory against peers, and the scores beside the published ones
	$(RUN) -m tests.benchmarks

clean:  ## remove environment and caches; never data, runs or votes
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@echo "Setting up $(VENV) (once; a minute or two)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; found " + sys.version.split()[0] + ". Set PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -e .
	@touch $@

$(READY_STUDY): $(READY)
	@echo "Adding what the study needs (once)"
	@$(PIP) -e '.[study]'
	@touch $@

$(READY_TRAIN): $(READY)
	@echo "Adding PyTorch (once; some minutes)"
	@$(PIP) -e '.[train]'
	@touch $@

$(READY_TEST): $(READY)
	@echo "Adding what the tests need (once)"
	@$(PIP) -e '.[test]'
	@touch $@
