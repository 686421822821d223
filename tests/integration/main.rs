//! Everything that is not a golden script test, in one binary: V8 links slowly.

mod examples;
mod function;
mod kill;
mod snapshot;
mod store_contract;
mod types;
