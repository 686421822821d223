//! Inspector: lets Chrome DevTools and other clients of its protocol debug scripts.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use deno_core::futures::channel::mpsc::{self, UnboundedSender};
use deno_core::{InspectorMsg, InspectorSessionChannels, InspectorSessionKind, InspectorSessionProxy};
use deno_inspector_server::{InspectPublishUid, InspectorServer, InspectorServerError};

/// Name of the program in `/json/version`.
const SERVER_NAME: &str = concat!("tailor-idp/", env!("CARGO_PKG_VERSION"));

/// Protocol messages that end a wait for a debugger, and a pause.
const RESUME_MESSAGES: [&str; 3] = [
    r#"{"id":1,"method":"Runtime.runIfWaitingForDebugger"}"#,
    r#"{"id":2,"method":"Debugger.enable"}"#,
    r#"{"id":3,"method":"Debugger.resume","params":{"terminateOnResume":true}}"#,
];

/// Condition that a script waits for before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InspectorStart {
    /// Run at once, with or without a debugger.
    #[default]
    Run,
    /// Wait until a debugger is attached and ready.
    Wait,
    /// Wait as with `Wait`, then pause at the first statement.
    Break,
}

/// Inspector server, to which debuggers connect. Used with
/// [`FunctionRuntimeBuilder::inspector`](crate::function::FunctionRuntimeBuilder::inspector).
///
/// Anyone who can connect can run code in the script, with the permissions of the script. The only secret is the identifier in
/// each script's URL, which `/json/list` shows. Requests with a `Host` name other than `localhost` are refused, against DNS
/// rebinding by web pages.
///
/// Clones share the server. It stops listening when the last clone is dropped.
#[derive(Clone)]
pub struct Inspector {
    server: Arc<InspectorServer>,
    start: InspectorStart,
    on_ready: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Inspector {
    /// Starts to listen for debuggers. Port 0 selects a free port.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be bound.
    pub fn listen(address: SocketAddr) -> io::Result<Self> {
        let server = InspectorServer::new(address, SERVER_NAME, InspectPublishUid { console: false, http: true });
        let server = server.map_err(|error| match error {
            InspectorServerError::Io(error)
            | InspectorServerError::Connect { source: error, .. }
            | InspectorServerError::LocalAddr { source: error, .. } => error,
        })?;
        Ok(Self { server: Arc::new(server), start: InspectorStart::Run, on_ready: Arc::new(|_| {}) })
    }

    /// Sets what scripts wait for. Default: [`InspectorStart::Run`].
    #[must_use]
    pub fn start(mut self, start: InspectorStart) -> Self {
        self.start = start;
        self
    }

    /// Sets a callback that gets the WebSocket URL of each script before it runs.
    #[must_use]
    pub fn on_ready(mut self, on_ready: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_ready = Arc::new(on_ready);
        self
    }

    /// Address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.server.host
    }

    /// Registers an isolate, under the script's URL.
    pub(super) fn register(&self, runtime: &deno_core::JsRuntime, url: &str) {
        let waits = self.start != InspectorStart::Run;
        let url = self.server.register_inspector(url.to_owned(), runtime.inspector(), waits);
        (self.on_ready)(&url.0);
    }

    /// Blocks the thread until the condition of [`InspectorStart`] is met.
    pub(super) fn wait_for_debugger(&self, runtime: &deno_core::JsRuntime) {
        match self.start {
            InspectorStart::Run => {}
            InspectorStart::Wait => runtime.inspector().wait_for_runtime_run_if_waiting_for_debugger(),
            InspectorStart::Break => runtime.inspector().wait_for_session_and_break_on_next_statement(),
        }
    }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector")
            .field("address", &self.address())
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

/// Function that resumes the isolate from another thread. A paused isolate does not react to a termination request.
pub(super) fn resumer(runtime: &deno_core::JsRuntime) -> impl FnMut() + Send + 'static {
    let sessions = runtime.inspector().get_session_sender();
    // Kept: dropping the sender closes the session.
    let mut commands: Option<UnboundedSender<String>> = None;
    move || {
        if commands.is_some() {
            return;
        }
        let (answers, _) = mpsc::unbounded::<InspectorMsg>();
        let (sender, receiver) = mpsc::unbounded();
        for command in RESUME_MESSAGES {
            // Cannot fail: the receiver is alive.
            let _ = sender.unbounded_send(command.to_owned());
        }
        let session = InspectorSessionProxy {
            channels: InspectorSessionChannels::Regular { tx: answers, rx: receiver },
            kind: InspectorSessionKind::NonBlocking { wait_for_disconnect: false },
        };
        // Fails if the isolate was dropped, which is not paused then.
        let _ = sessions.unbounded_send(session);
        commands = Some(sender);
    }
}
