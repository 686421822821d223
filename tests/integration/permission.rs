//! Permissions: documented examples, `tailor-idp explain`, and scripts.

mod documents;
mod explain;
mod scripts;
