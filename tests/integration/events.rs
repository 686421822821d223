//! The `events` commands.

mod program;
