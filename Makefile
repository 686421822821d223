# The handler of `make run`, and its argument as JSON.
HANDLER ?= examples/handlers/tour.js
ARG ?= {"domain":"example.com"}
export HANDLER ARG ENGINE

.PHONY: help run test npm soak bench bench-quick bench-base fmt clean

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile
	@echo
	@echo '  HANDLER=file.js ARG=json   the handler of `make run`, and its argument'
	@echo '  ENGINE=v8|quickjs          the JavaScript engine; default: V8 if available, else QuickJS'

run: ## build, then run a handler that manages users in a new store
	@ENGINE=$$(scripts/engine.sh) && export ENGINE && scripts/cargo.sh build && \
	scripts/cargo.sh run --quiet -- run "$$HANDLER" --arg "$$ARG"

test: ## check formatting and lints, and run all tests
	@scripts/test.sh

npm: ## pack the npm package with the identity provider for Node.js into target/npm
	@scripts/npm.sh

soak: ## run 100,000 executions in each mode and check that nothing grows, then generated hostile scripts for an hour; takes hours
	@TAILOR_IDP_SOAK=$${TAILOR_IDP_SOAK:-100000} scripts/cargo.sh test --locked --test integration -- \
	  --ignored --nocapture --exact function::soak::nothing_grows_in_any_mode
	@TAILOR_IDP_TEST_ROUNDS=$${TAILOR_IDP_TEST_ROUNDS:-11000} scripts/cargo.sh test --locked --test integration -- \
	  --ignored --nocapture --exact processes::deaths::dying_workers_harm_no_other_execution_and_leak_nothing
	@TAILOR_IDP_GENERATED_SECONDS=$${TAILOR_IDP_GENERATED_SECONDS:-3600} \
	TAILOR_IDP_GENERATED_SEED=$${TAILOR_IDP_GENERATED_SEED:-$$(date +%s)} scripts/cargo.sh test --locked --test integration -- \
	  --nocapture --exact hostile::generated::generated_scripts_end_within_limits_and_do_not_affect_next_execution

bench: ## run all benchmarks, write the results into docs/performance.md; takes a quarter of an hour
	@scripts/bench.sh

bench-quick: ## compare this tree with the kept build (bench-base), else with the last commit; takes a minute after the builds
	@scripts/bench.sh quick $(BASE)

bench-base: ## keep a build for bench-quick: BASE=revision, else this tree
	@scripts/bench.sh keep $(BASE)

fmt: ## format the source
	@cargo fmt --all

clean: ## remove the build's output
	@cargo clean
