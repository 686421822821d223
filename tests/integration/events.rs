//! Events, from the change to the receiver.

mod kill;
mod outbox;
mod program;
mod receiver;
mod webhook;
