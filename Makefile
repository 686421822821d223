# The handler that `make run` runs, and its argument.
HANDLER ?= examples/handlers/tour.js
ARG ?= {"domain":"example.com"}
export HANDLER ARG ENGINE

.PHONY: help run test soak bench bench-quick bench-base fmt clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile
	@echo
	@echo '  HANDLER=file.js ARG=json   another handler for `make run`, and what it is given'
	@echo '  ENGINE=v8|quickjs          the engine; without it V8 where it can be had, else QuickJS'

run: ## build, then run a handler that manages users, in a fresh store
	@ENGINE=$$(scripts/engine.sh) && export ENGINE && scripts/cargo.sh build && \
	scripts/cargo.sh run --quiet -- run "$$HANDLER" --arg "$$ARG"

test: ## formatting, lints and all tests
	@scripts/test.sh

soak: ## 100,000 executions in each isolation mode, whose memory has to stay flat; takes minutes
	@TAILOR_IDP_SOAK=$${TAILOR_IDP_SOAK:-100000} scripts/cargo.sh test --locked --test integration -- \
	  --ignored --nocapture --exact function::soak::memory_stays_flat_in_both_modes

bench: ## all measurements, beside their peers, into docs/performance.md; a quarter of an hour
	@scripts/bench.sh

bench-quick: ## compare this tree with the build that bench-base keeps, else with the last commit; a minute once both are built
	@scripts/bench.sh quick $(BASE)

bench-base: ## keep a build to compare with: BASE=revision, else this tree
	@scripts/bench.sh keep $(BASE)

fmt: ## format the source
	@cargo fmt

clean: ## remove what was built
	@cargo clean
