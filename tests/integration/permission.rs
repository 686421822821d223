//! Permission, from the spelling of a policy to what a call does.

mod agreement;
mod documents;
mod enforcement;
mod explain;
mod plain;
mod scripts;
