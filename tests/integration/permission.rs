//! Permission, from the spelling of a policy to what a call does.

mod agreement;
mod plain;
