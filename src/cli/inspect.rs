//! `run --inspect`: the address where debuggers attach.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::Args;
use tailor_idp::function::FunctionRuntimeBuilder;
#[cfg(feature = "inspector")]
use tailor_idp::function::{Inspector, InspectorStart};

use super::error::UsageError;
#[cfg(feature = "inspector")]
use super::output;

/// Port that DevTools discover by default.
const DEFAULT_PORT: u16 = 9229;
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Address of the flags without a value: [`LOOPBACK`] and [`DEFAULT_PORT`].
const DEFAULT_ADDRESS: &str = "127.0.0.1:9229";

/// Whether debuggers may attach, and whether the script waits for them.
#[derive(Args)]
#[command(next_help_heading = "Debugging")]
pub(super) struct InspectArgs {
    /// Let a debugger attach, such as Chrome (chrome://inspect) or an editor; there is no time limit then. Anyone who can connect
    /// to the address can run code in the script [default: 127.0.0.1:9229, for this machine only; port 0 takes a free one]
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = DEFAULT_ADDRESS,
          value_parser = address, group = "debugger")]
    inspect: Option<SocketAddr>,

    /// Like --inspect, and wait for the debugger, then pause at the first statement
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = DEFAULT_ADDRESS,
          value_parser = address, group = "debugger")]
    inspect_brk: Option<SocketAddr>,

    /// Like --inspect, and wait for the debugger, then run
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = DEFAULT_ADDRESS,
          value_parser = address, group = "debugger")]
    inspect_wait: Option<SocketAddr>,
}

/// A listener for debuggers.
#[cfg(feature = "inspector")]
pub(super) struct Debugger(Inspector);

/// Uninhabited without the feature `inspector`.
#[cfg(not(feature = "inspector"))]
pub(super) enum Debugger {}

impl Debugger {
    /// Lets debuggers attach to the scripts of the runtime.
    pub(super) fn attach(&self, runtime: FunctionRuntimeBuilder) -> FunctionRuntimeBuilder {
        #[cfg(feature = "inspector")]
        return runtime.inspector(self.0.clone());
        #[cfg(not(feature = "inspector"))]
        return runtime;
    }
}

impl InspectArgs {
    /// Listens for debuggers if a flag is set. Prints the URL for debuggers to stderr.
    #[cfg(feature = "inspector")]
    pub(super) fn listen(&self) -> Result<Option<Debugger>, UsageError> {
        let (address, start) = match (self.inspect, self.inspect_brk, self.inspect_wait) {
            (Some(address), ..) => (address, InspectorStart::Run),
            (_, Some(address), _) => (address, InspectorStart::Break),
            (.., Some(address)) => (address, InspectorStart::Wait),
            (None, None, None) => return Ok(None),
        };
        if !address.ip().is_loopback() {
            let text = format!("who reaches {address} can run code in the script, with all that the script may do");
            output::note("warning", &text);
        }
        let inspector = Inspector::listen(address)
            .map_err(|error| UsageError(format!("cannot listen on {address} for debuggers: {error}")))?;
        let waits = start != InspectorStart::Run;
        Ok(Some(Debugger(inspector.start(start).on_ready(move |url| {
            // Editors look for these words.
            output::print_error(&format!("Debugger listening on {url}"));
            if waits {
                output::note("note", "the script waits for the debugger: see chrome://inspect");
            }
        }))))
    }

    /// Fails if a flag is set: this build has no debugger support.
    #[cfg(not(feature = "inspector"))]
    pub(super) fn listen(&self) -> Result<Option<Debugger>, UsageError> {
        if self.inspect.or(self.inspect_brk).or(self.inspect_wait).is_none() {
            return Ok(None);
        }
        let text = "no debugger can attach: this program was built without the feature inspector, which needs V8";
        Err(UsageError(format!("{text} (see docs/engines.md)")))
    }
}

/// Whether the text can be the value of `--inspect`.
pub(super) fn is_address(text: &str) -> bool {
    address(text).is_ok()
}

/// Parses `HOST:PORT`, `HOST` or `PORT`.
fn address(text: &str) -> Result<SocketAddr, String> {
    let text = text.replace("localhost", "127.0.0.1");
    let port = || Some(SocketAddr::new(LOOPBACK, text.parse().ok()?));
    let host = || Some(SocketAddr::new(text.parse().ok()?, DEFAULT_PORT));
    let wrong = || "expected an address and a port, such as 127.0.0.1:9229 or [::1]:9229".to_owned();
    text.parse().ok().or_else(port).or_else(host).ok_or_else(wrong)
}
