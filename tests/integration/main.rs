//! Everything that is not a golden script test, in one binary: V8 links slowly.

mod kill;
mod store_contract;
mod types;
