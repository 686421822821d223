//! PostgreSQL servers of the tests, each in a temporary folder with a socket and a port of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Set where PostgreSQL cannot be had: the tests pass without it.
const SKIP: &str = "TAILOR_IDP_SKIP_POSTGRES";

/// The user whom the server runs as, where the tests run as root: PostgreSQL refuses root.
const USER: &str = "postgres";

/// Far longer than a server takes to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Whether the tests that need PostgreSQL are left out.
pub(crate) fn is_left_out() -> bool {
    std::env::var_os(SKIP).is_some()
}

/// A running server. Ends with the process of the tests, however that ends.
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Server {
    /// The server that the tests share.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts a server of a test's own.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with these settings.
    pub(crate) fn start_with(settings: &[&str]) -> Self {
        let folder = folder();
        let data = folder.path().join("data");
        let mut initdb = command(&program("initdb"));
        initdb.arg("--pgdata").arg(&data).args(["--auth=trust", "--username=postgres", "--no-sync"]);
        initdb.args(["--encoding=UTF8", "--locale=C"]).current_dir(folder.path());
        succeed(initdb);
        std::fs::write(data.join("postgresql.auto.conf"), settings.join("\n")).unwrap();
        Self::run(folder)
    }

    /// Starts a streaming replica.
    pub(crate) fn standby(&self) -> Self {
        let folder = folder();
        let mut copy = command(&program("pg_basebackup"));
        copy.arg("--pgdata").arg(folder.path().join("data")).arg("--host").arg(self.folder.path());
        copy.args(["--port", &self.port.to_string(), "--username=postgres", "--write-recovery-conf"]);
        copy.args(["--wal-method=stream", "--checkpoint=fast", "--no-sync"]).current_dir(folder.path());
        succeed(copy);
        Self::run(folder)
    }

    fn run(folder: TempDir) -> Self {
        let port = free_port();
        let child = run(&folder.path().join("data"), folder.path(), port);
        let server = Self { folder, port, child };
        server.wait_until_ready();
        server
    }

    /// Makes a primary of a replica.
    pub(crate) fn promote(&self) {
        let mut promote = command(&program("pg_ctl"));
        promote.arg("--pgdata").arg(self.folder.path().join("data")).args(["promote", "--wait", "--silent"]);
        promote.current_dir(self.folder.path());
        succeed(promote);
    }

    /// Runs one of PostgreSQL's client programs, and returns what it prints.
    pub(crate) fn run_client(&self, name: &str, arguments: &[&str]) -> Vec<u8> {
        let mut client = command(&program(name));
        client.arg("--host").arg(self.folder.path()).args(["--port", &self.port.to_string(), "--username=postgres"]);
        client.args(arguments).current_dir(self.folder.path());
        succeed(client)
    }

    /// Stops the server as a crash of the machine does, but for the disk, and starts it again.
    pub(crate) fn crash_and_restart(&mut self) {
        self.crash();
        self.child = run(&self.folder.path().join("data"), self.folder.path(), self.port);
        self.wait_until_ready();
    }

    /// Stops the server as a crash of the machine does.
    pub(crate) fn crash(&mut self) {
        std::fs::write(self.folder.path().join("keep"), "").unwrap();
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }

    fn wait_until_ready(&self) {
        let started = Instant::now();
        loop {
            let mut ready = Command::new(program("pg_isready"));
            ready.arg("--host").arg(self.folder.path()).args(["--port", &self.port.to_string(), "--quiet"]);
            if ready.status().unwrap().success() {
                return;
            }
            assert!(started.elapsed() < START_TIMEOUT, "PostgreSQL does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The folder of the server, with its socket. It belongs to the user of the server.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A URL of the database, over the Unix socket.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@/{database}?host={}&port={}", self.folder.path().display(), self.port)
    }
}

/// A temporary folder of the server's user.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("idp-pg").tempdir().unwrap();
    give_to_user(folder.path());
    folder
}

/// Makes a file or folder the server's user's.
pub(crate) fn give_to_user(path: &Path) {
    if is_root() {
        let id = |flag| {
            let output = Command::new("id").args([flag, USER]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().parse::<u32>().expect("the user postgres exists")
        };
        std::os::unix::fs::chown(path, Some(id("-u")), Some(id("-g"))).unwrap();
    }
}

/// Runs a command, and returns what it prints.
fn succeed(mut command: Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A command that runs as a user whom PostgreSQL accepts.
pub(crate) fn command(program: &OsStr) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={USER}"), &format!("--regid={USER}"), "--clear-groups"]).arg(program);
    command
}

/// Runs the server until the pipe is closed, which it also is when the process of the tests dies. Then removes the folder, since
/// statics are not dropped. SIGQUIT: without a checkpoint.
fn run(data: &Path, folder: &Path, port: u16) -> Child {
    let script = r#""$@" >>log 2>&1 & cat >/dev/null; kill -QUIT $!; wait; [ -e keep ] || rm -rf "$PWD""#;
    let mut sh = command(OsStr::new("sh"));
    sh.args(["-c", script, "sh"]).arg(program("postgres")).arg("-D").arg(data);
    sh.arg("-k").arg(folder).args(["-p", &port.to_string(), "-h", "127.0.0.1"]);
    // Not durable against a crash of the machine, which no test makes.
    sh.args(["-c", "fsync=off", "-c", "shared_buffers=64MB", "-c", "max_connections=300"]);
    sh.args(["-c", "log_min_messages=warning", "-c", "max_prepared_transactions=0"]);
    sh.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    sh.spawn().unwrap()
}

/// A port on which nothing listens.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The path of one of PostgreSQL's programs. Debian does not put them on the path.
fn program(name: &str) -> std::ffi::OsString {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<_> = debian.map(|version| version.path()).collect();
    versions
        .sort_by_key(|path| path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u32>().ok()));
    let newest = versions.iter().rev().map(|version| version.join("bin").join(name)).find(|path| path.exists());
    let on_path = || {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.exists())
    };
    let found: Option<PathBuf> = newest.or_else(on_path);
    found.unwrap_or_else(|| panic!("{name} is not installed: install PostgreSQL, or set {SKIP}=1")).into_os_string()
}
