# The README's two commands. Each installs what is missing and says what it does.

FIREDRILL := target/release/firedrill

.PHONY: drill test build

## Run the drills that a CI pipeline runs, each with its report.
drill: build
	@echo "firedrill: running the scenarios tagged ci"
	$(FIREDRILL) run --tag ci

## Build the command, and the application that some scenarios drive.
build:
	@scripts/need.sh cargo cc redis-server
	@echo "firedrill: building $(FIREDRILL)"
	cargo build --release --locked --bin firedrill --bin session-server

## Run every test, on real redis-servers. Tests mostly wait for servers and clocks: four at a time, whatever the cores.
test:
	@scripts/need.sh cargo cc redis-server openssl curl docker docker-compose
	@echo "firedrill: running the tests"
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4} cargo test --workspace --locked --no-fail-fast
