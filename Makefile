# The README's commands. Each installs what is missing and says what it does.

# With what the examples of applications run on, so that one call of the package manager installs all.
NEEDED_BY_TESTS := cargo cc redis-server curl docker docker-compose junitparser jsonschema yaml venv python3 pip groff readelf promtool chromium chromedriver \
    php-cli php-redis ruby-redis-rack

# What a drill needs: the command without drills in containers, and the application that some scenarios drive.
DRILL_FEATURES := --locked --package firedrill --package firedrill-storage --no-default-features --features cli
FOR_DRILLS := $(DRILL_FEATURES) --bin firedrill --bin session-server

.PHONY: drill check-drill resolve-drill build needs test test-all selftest

## Run the drills that a CI pipeline runs, each with its report: soon built (profile drill, no drills in containers).
drill:
	@scripts/need.sh cargo cc redis-server
	@echo "firedrill: building target/drill/firedrill"
	cargo build --profile drill $(FOR_DRILLS)
	@echo "firedrill: running the scenarios tagged ci"
	target/drill/firedrill run --tag ci

## Check that what `make drill` builds compiles, in a folder of its own: Cargo lets no two builds into one.
check-drill:
	@cargo check --quiet --target-dir target/lean $(FOR_DRILLS)

## Check that Cargo finds what `make drill` builds, and builds neither Docker's client nor anything else that it can do without.
resolve-drill:
	@built=$$(cargo tree $(DRILL_FEATURES) --edges normal --prefix none --format '{lib}') && ! echo "$$built" | grep -xE 'testcontainers|bollard'

## Build the command with everything in it, as figures are measured, and the application that some scenarios drive.
build:
	@scripts/need.sh cargo cc redis-server
	@echo "firedrill: building target/release/firedrill"
	cargo build --release --locked --bin firedrill --bin session-server

## Install what the tests need and this machine lacks.
needs:
	@scripts/need.sh $(NEEDED_BY_TESTS)

## Run the tests, on real redis-servers. Of the shipped scenarios: those tagged ci, or also a share of the rest (SCENARIOS=3/16).
test: needs
	scripts/test.sh $(or $(SCENARIOS),ci)

## Run every test and every shipped scenario.
test-all: needs
	scripts/test.sh all

## Plant each known defect in the store, one at a time, and see whether the drills that must catch it do (docs/selftest.md).
selftest:
	@scripts/need.sh cargo cc redis-server
	@echo "firedrill: building target/drill/firedrill"
	cargo build --profile drill $(FOR_DRILLS)
	target/drill/firedrill selftest --all-sound $(SELFTEST)
