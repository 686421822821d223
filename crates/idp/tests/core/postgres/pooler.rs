//! Through PgBouncer in transaction mode: the contract, and a pooler that is killed. Left out with `TAILOR_IDP_SKIP_PGBOUNCER=1`.

use std::process::{Child, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use tailor_idp_core::store::Store;
use tailor_idp_core::store::contract::Backend;
use tailor_idp_core::{Clock, NamespaceName};
use tempfile::TempDir;

use super::faults::Writers;
use super::server::{self, Place, Server, is_left_out};
use super::{require_postgres, users};
use crate::fresh::FreshDatabase;

/// Set where PgBouncer cannot be had: the tests pass without it.
const SKIP: &str = "TAILOR_IDP_SKIP_PGBOUNCER";

/// Ends a test that needs PgBouncer where it is left out.
macro_rules! require_pooler {
    () => {
        require_postgres!();
        if std::env::var_os(SKIP).is_some() {
            return;
        }
    };
}

/// A running PgBouncer. Ends with the process of the tests.
struct Pooler {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Pooler {
    /// The pooler of the server that the tests share.
    fn shared() -> &'static Self {
        static SHARED: OnceLock<Pooler> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(Server::shared()))
    }

    fn start(server: &Server) -> Self {
        let (folder, port) = (server::folder(), server::free_port());
        // Fewer server processes than the tests have connections: transactions of one connection meet different ones.
        let settings = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 20\n\
             max_client_conn = 2000\nserver_login_retry = 1\n",
            server.folder().display(),
            server.port(),
        );
        let settings = settings.replace("* = host", "postgres = user=postgres host");
        std::fs::write(folder.path().join("pgbouncer.ini"), settings).unwrap();
        let child = run(&folder);
        let pooler = Self { folder, port, child };
        pooler.wait_until_ready();
        pooler
    }

    /// Kills the pooler (SIGKILL), and starts it again.
    fn kill_and_restart(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
        self.child = run(&self.folder);
        self.wait_until_ready();
    }

    fn wait_until_ready(&self) {
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(started.elapsed() < Duration::from_secs(30), "PgBouncer does not start: {log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn place(&self, schema: String) -> Place {
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres?pgbouncer=true", self.port);
        Place { url, schema }
    }
}

/// Runs the pooler until the pipe is closed.
fn run(folder: &TempDir) -> Child {
    let script = r#""$@" pgbouncer.ini >>log 2>&1 & cat >/dev/null; kill -KILL $!; wait"#;
    let mut sh = server::command("sh".as_ref());
    let program =
        if std::path::Path::new("/usr/sbin/pgbouncer").exists() { "/usr/sbin/pgbouncer" } else { "pgbouncer" };
    sh.args(["-c", script, "sh", program]).current_dir(folder.path());
    sh.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

async fn place() -> Place {
    let Place { schema, .. } = super::place().await;
    tokio::task::spawn_blocking(Pooler::shared).await.unwrap().place(schema)
}

struct Pooled(FreshDatabase);

impl Backend for Pooled {
    async fn fresh(clock: Arc<dyn Clock>) -> Self {
        if is_left_out() || std::env::var_os(SKIP).is_some() {
            // The tests pass over another store.
            return Self(FreshDatabase::sqlite(Some(clock)));
        }
        Self(FreshDatabase::Postgres(place().await.open_with_clock(clock).await))
    }

    async fn namespace(&self, name: &NamespaceName) -> Arc<dyn Store> {
        self.0.namespace(name).await
    }
}

mod contract {
    use super::Pooled;

    tailor_idp_core::store_contract_tests!(Pooled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_caller_is_told_wrongly_when_the_pooler_is_killed() {
    require_pooler!();
    let Place { schema, .. } = super::place().await;
    let mut pooler = tokio::task::spawn_blocking(|| Pooler::start(Server::shared())).await.unwrap();
    let place = pooler.place(schema);
    let stores = [users(&place.open().await.unwrap()).await, users(&place.open().await.unwrap()).await];
    let writers = Writers::start(&stores, 8);
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        pooler = tokio::task::spawn_blocking(move || {
            pooler.kill_and_restart();
            pooler
        })
        .await
        .unwrap();
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let told = writers.stop().await;
    assert!(!told.created.is_empty());
    assert_eq!(told.unknown.len(), 0, "the server is there: every outcome can be found out");
    told.check(&stores[0]).await;
    drop(pooler);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_behind_a_pooler_do_not_count_on_notifications() {
    require_pooler!();
    let place = place().await;
    let store = users(&place.open().await.unwrap()).await;
    let _commits = store.commits();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!store.hears_other_processes());
}
