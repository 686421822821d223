//! Directories of hosts under the rules of a namespace: capabilities, conflicts, permission, page tokens,
//! spans.

mod capabilities;
mod concurrency;
mod conflicts;
mod fixture;
mod page_tokens;
mod permission;
mod spans;
