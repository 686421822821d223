//! Permission: decisions, listings, and the enforcement of both.

mod agreement;
mod enforcement;
mod plain;
