//! A network between the store and the server that fails as the test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What happens to the next commit, or to everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fault {
    None,
    /// It does not arrive, and the connection is cut.
    CutBeforeCommit,
    /// It arrives, its reply does not, and the connection is cut.
    CutAfterCommit,
    /// It arrives later than the cut connection is noticed.
    DelayCommitAfterCut,
    /// New connections are refused, and the old ones are cut.
    Away,
    /// Nothing arrives any more, and nothing is cut.
    Silent,
}

const FAULTS: [Fault; 6] = [
    Fault::None,
    Fault::CutBeforeCommit,
    Fault::CutAfterCommit,
    Fault::DelayCommitAfterCut,
    Fault::Away,
    Fault::Silent,
];

#[derive(Default)]
struct State {
    fault: AtomicU8,
    /// The number of commits that met a fault.
    hits: AtomicU64,
}

impl State {
    fn fault(&self) -> Fault {
        FAULTS[usize::from(self.fault.load(Ordering::SeqCst))]
    }
}

/// A proxy in front of a server.
pub(crate) struct Proxy {
    port: u16,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn start(server_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::<State>::default();
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&state);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                if shared.fault() == Fault::Away {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)).await else { continue };
                connections.spawn(serve(client, server, Arc::clone(&shared)));
            }
        });
        Self { port, state, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.state.fault.store(fault as u8, Ordering::SeqCst);
    }

    /// The number of commits that met a fault.
    pub(crate) fn hits(&self) -> u64 {
        self.state.hits.load(Ordering::SeqCst)
    }
}

impl State {
    /// Takes the fault if the bytes are a commit that meets one. Each fault is met once.
    fn take(&self, bytes: &[u8]) -> Option<Fault> {
        let fault = self.fault();
        let is_met = matches!(fault, Fault::CutBeforeCommit | Fault::CutAfterCommit | Fault::DelayCommitAfterCut)
            && is_commit(bytes)
            && self.fault.compare_exchange(fault as u8, Fault::None as u8, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if !is_met {
            return None;
        }
        self.hits.fetch_add(1, Ordering::SeqCst);
        Some(fault)
    }
}

/// Whether the bytes begin with a simple query that commits what is not a migration.
fn is_commit(bytes: &[u8]) -> bool {
    let length = bytes.get(1..5).and_then(|length| length.try_into().ok()).map_or(0, u32::from_be_bytes) as usize;
    // The length counts itself; the text ends with NUL.
    bytes.first() == Some(&b'Q') && bytes.get(5..length).is_some_and(|text| text.ends_with(b"; COMMIT"))
}

async fn serve(client: TcpStream, server: TcpStream, state: Arc<State>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let is_cut = AtomicBool::new(false);
    tokio::select! {
        () = forward(from_client, to_server, &state, &is_cut) => {}
        () = back(from_server, to_client, &state, &is_cut) => {}
        () = until_away(&state) => {}
    }
}

async fn until_away(state: &State) {
    while state.fault() != Fault::Away {
        sleep(Duration::from_millis(5)).await;
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State, is_cut: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let bytes = &buffer[..count];
        if state.fault() == Fault::Silent {
            std::future::pending::<()>().await;
        }
        match state.take(bytes) {
            Some(Fault::CutBeforeCommit) => return,
            Some(Fault::CutAfterCommit) => {
                is_cut.store(true, Ordering::SeqCst);
                let _ = to.write_all(bytes).await;
                // Every other time the server has committed by then.
                if state.hits.load(Ordering::SeqCst).is_multiple_of(2) {
                    sleep(Duration::from_millis(20)).await;
                }
                return;
            }
            Some(_) => {
                let bytes = bytes.to_vec();
                tokio::spawn(async move {
                    sleep(Duration::from_millis(200)).await;
                    let _ = to.write_all(&bytes).await;
                    // The server answers to nobody.
                    sleep(Duration::from_millis(200)).await;
                });
                return;
            }
            None => {}
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}

async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State, is_cut: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if state.fault() == Fault::Silent || is_cut.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
