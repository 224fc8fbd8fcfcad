# Short names for what the project does; each forwards to the tool that does it.
#   ENGINE=elasticsearch make demo      opensearch (default), elasticsearch, opensearch3, elasticsearch9
#   ENGINES=all make test               engines of the integration tests; default "opensearch elasticsearch"
#   make chaos SECONDS=600 SEED=1       ENGINE as above; AWS=aws takes moto for S3 and SQS; without SEED a new one is drawn

CARGO_PROFILE ?= release

.PHONY: help build test demo bench chaos fuzz lint fmt

help:
	@echo 'make build   the release binary, target/release/trailship'
	@echo 'make test    every test, on real servers that it starts and stops (ENGINES=all: on four engines)'
	@echo 'make demo    ships the sample trail through a real S3, SQS and search server (ENGINE=elasticsearch)'
	@echo 'make bench   records per CPU-second, by step and for the whole way'
	@echo 'make chaos   ships through faults, kills and outages, then compares bucket and index (SECONDS, SEED, ENGINE)'
	@echo 'make fuzz    hostile input for every reader (SECONDS=60 for each, SEED=n)'
	@echo 'make lint    format, lints and generated files, as CI checks them'
	@echo 'make fmt     formats the code'

build:
	cargo build --release

test:
	@CARGO_PROFILE=$(CARGO_PROFILE) sh tests/run.sh

demo:
	@sh tests/demo/run.sh

bench:
	@python3 tests/bench/run.py

chaos:
	@python3 tests/chaos/run.py $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) \
		$(if $(ENGINE),--engine $(ENGINE)) $(if $(AWS),--aws $(AWS)) $(if $(RATE),--rate $(RATE))

fuzz:
	@FUZZ_SECONDS=$(or $(SECONDS),60) FUZZ_SEED=$(or $(SEED),$(shell date +%s)) \
		cargo test --profile $(CARGO_PROFILE) --test fuzz -- --nocapture --test-threads 2

lint:
	cargo fmt --check
	cargo clippy --profile $(CARGO_PROFILE) --all-targets -- -D warnings
	python3 samples/generate.py --check
	python3 tests/dashboards/scenes.py --check

fmt:
	cargo fmt
