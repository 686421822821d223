# The handler that `make run` runs, and its argument.
HANDLER ?= examples/handlers/tour.js
ARG ?= {"domain":"example.com"}
export HANDLER ARG ENGINE

.PHONY: help run test fmt clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile
	@echo
	@echo '  HANDLER=file.js ARG=json   another handler for `make run`, and what it is given'
	@echo '  ENGINE=v8|quickjs          the engine; without it V8 where it can be had, else QuickJS'

run: ## build, then run a handler that manages users, in a fresh store
	@ENGINE=$$(scripts/engine.sh) && export ENGINE && scripts/cargo.sh build && \
	scripts/cargo.sh run --quiet -- run "$$HANDLER" --arg "$$ARG"

test: ## formatting, lints and all tests
	@scripts/test.sh

fmt: ## format the source
	@cargo fmt

clean: ## remove what was built
	@cargo clean
