//! x
#![allow(missing_docs)]
pub mod extension;
pub mod idp;
pub mod store;
