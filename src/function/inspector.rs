//! Debuggers: Chrome DevTools, and others that speak its protocol.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use deno_core::futures::channel::mpsc::{self, UnboundedSender};
use deno_core::{InspectorMsg, InspectorSessionChannels, InspectorSessionKind, InspectorSessionProxy};
use deno_inspector_server::{InspectPublishUid, InspectorServer, InspectorServerError};

/// What `/json/version` calls the program.
const NAME: &str = concat!("tailor-idp/", env!("CARGO_PKG_VERSION"));

/// What ends every wait for a debugger, and every pause.
const RELEASE: [&str; 3] = [
    r#"{"id":1,"method":"Runtime.runIfWaitingForDebugger"}"#,
    r#"{"id":2,"method":"Debugger.enable"}"#,
    r#"{"id":3,"method":"Debugger.resume","params":{"terminateOnResume":true}}"#,
];

/// What a script waits for before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InspectorStart {
    /// Nothing: a debugger may come, or not.
    #[default]
    Run,
    /// A debugger that says that it is ready.
    Wait,
    /// The same, and then the script pauses at its first statement.
    Break,
}

/// Lets debuggers attach to the scripts of a runtime, one script after the other:
/// [`FunctionRuntimeBuilder::inspector`](super::FunctionRuntimeBuilder::inspector).
///
/// Who reaches the address can run code in the script, with all that the script may do. There is no password but the
/// identifier in each script's URL, which `/json/list` tells. Requests whose `Host` is a name other than `localhost` are
/// refused, so that no web page gets there by a name of its own.
///
/// Clones share the address; with the last of them it is given up.
#[derive(Clone)]
pub struct Inspector {
    server: Arc<InspectorServer>,
    start: InspectorStart,
    on_ready: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Inspector {
    /// Listens for debuggers. Port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// Where the address cannot be listened on.
    pub fn listen(address: SocketAddr) -> io::Result<Self> {
        let server = InspectorServer::new(address, NAME, InspectPublishUid { console: false, http: true });
        let server = server.map_err(|error| match error {
            InspectorServerError::Io(error)
            | InspectorServerError::Connect { source: error, .. }
            | InspectorServerError::LocalAddr { source: error, .. } => error,
        })?;
        Ok(Self { server: Arc::new(server), start: InspectorStart::Run, on_ready: Arc::new(|_| {}) })
    }

    /// What scripts wait for: nothing, unless it is said.
    #[must_use]
    pub fn start(mut self, start: InspectorStart) -> Self {
        self.start = start;
        self
    }

    /// Is told the WebSocket URL of every script that is about to run.
    #[must_use]
    pub fn on_ready(mut self, on_ready: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_ready = Arc::new(on_ready);
        self
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.host
    }

    /// Offers the runtime's isolate to debuggers.
    pub(super) fn offer(&self, runtime: &deno_core::JsRuntime, url: &str) {
        let waits = self.start != InspectorStart::Run;
        let url = self.server.register_inspector(url.to_owned(), runtime.inspector(), waits);
        (self.on_ready)(&url.0);
    }

    /// Waits as it was said. Blocks the thread: nothing of the script runs meanwhile.
    pub(super) fn wait(&self, runtime: &deno_core::JsRuntime) {
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

/// Ends what holds the isolate's thread, from another: a thread that is paused does not see that it is to terminate.
pub(super) fn release(runtime: &deno_core::JsRuntime) -> impl FnMut() + Send + 'static {
    let sessions = runtime.inspector().get_session_sender();
    // A session is there for as long as its commands may come.
    let mut commands: Option<UnboundedSender<String>> = None;
    move || {
        if commands.is_some() {
            return;
        }
        let (answers, _) = mpsc::unbounded::<InspectorMsg>();
        let (sender, receiver) = mpsc::unbounded();
        for command in RELEASE {
            // The receiver is right here.
            let _ = sender.unbounded_send(command.to_owned());
        }
        let session = InspectorSessionProxy {
            channels: InspectorSessionChannels::Regular { tx: answers, rx: receiver },
            kind: InspectorSessionKind::NonBlocking { wait_for_disconnect: false },
        };
        // An isolate that is gone waits for nothing.
        let _ = sessions.unbounded_send(session);
        commands = Some(sender);
    }
}
