//! x
#![allow(missing_docs)]
pub mod extension;
pub mod function;
pub mod idp;
pub mod store;

/// The TypeScript declarations of what function scripts can use beside the web's own APIs: `tailor.d.ts`.
pub const TYPES: &str = include_str!("../js/tailor.d.ts");
