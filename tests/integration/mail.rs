//! Password resets: the `mail` commands, the reset page, and both together.

mod browser;
mod connections;
mod delivery;
mod page;
#[path = "../../crates/idp/tests/support/smtp.rs"]
mod smtp;
#[path = "../../crates/idp/tests/support/mail_text.rs"]
mod text;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use tailor_idp::idp::store::SqliteDatabase;
use tailor_idp::idp::{NamespaceSettings, Router};
use tempfile::TempDir;

use crate::support::{End, namespace, program};

/// Where browsers go after a reset.
const REDIRECT: &str = "https://app.example.com/signed-in";

/// A folder with a database, and runs of the program on it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    fn db(&self) -> PathBuf {
        self.folder.path().join("users.db")
    }

    /// Runs the body of a script, in which `idp` is a client, and returns its result.
    fn run(&self, body: &str) -> serde_json::Value {
        let script = self.folder.path().join("script.js");
        let text = format!(
            "export default async () => {{ const idp = new tailor.idp.Client('builtin-idp'); const redirectUri = '{REDIRECT}'; {body} }};"
        );
        std::fs::write(&script, text).unwrap();
        let end = End::of(program().arg("run").arg(&script).arg("--db").arg(self.db()));
        assert_eq!(end.code, Some(0), "{end:#?}");
        end.json()
    }

    /// Creates the user, and queues a reset mail.
    fn ask(&self, name: &str) {
        self.run(&format!(
            "const {{ id: userId }} = await idp.createUser({{ name: '{name}', password: 'the old one' }});
             return await idp.sendPasswordResetEmail({{ userId, redirectUri }});"
        ));
    }

    fn mail(&self, arguments: &[&str]) -> End {
        End::of(program().arg("mail").args(arguments).arg("--db").arg(self.db()).current_dir(self.folder.path()))
    }

    /// State and number of attempts of each mail, oldest first.
    fn states(&self) -> Vec<String> {
        let mails = self.mail(&["list", "--json"]).json();
        let state = |mail: &serde_json::Value| format!("{} {}", mail["state"].as_str().unwrap(), mail["attempts"]);
        mails.as_array().unwrap().iter().rev().map(state).collect()
    }

    /// Whether the password is valid, checked by a host that opens the same database.
    async fn verifies(&self, name: &str, password: &str) -> bool {
        let namespace = namespace("builtin-idp");
        let store = SqliteDatabase::open(self.db()).unwrap().namespace(&namespace).await.unwrap();
        let idp = Router::builder().namespace(namespace, Arc::new(store), NamespaceSettings::default()).build();
        idp.verify_password("builtin-idp", name, password.into()).await.unwrap().is_some()
    }
}

/// A running `tailor-idp serve` on an unused port. Killed when dropped.
struct Serve {
    process: Child,
    base: String,
    address: String,
    log: Option<JoinHandle<String>>,
}

impl Serve {
    /// Kills the server, and returns its log.
    fn kill(&mut self) -> String {
        self.process.kill().unwrap();
        self.log.take().unwrap().join().unwrap()
    }

    /// The URL of the listening address. Unlike `base`, independent of `--base-url`.
    fn base_here(&self) -> String {
        format!("http://{}", self.address)
    }

    fn start(db: &Path, arguments: &[&str]) -> Self {
        let mut serve = program();
        serve.env("TAILOR_IDP_LOG", "trace").args(["serve", "--listen", "127.0.0.1:0", "--db"]).arg(db).args(arguments);
        let folder = db.parent().unwrap();
        let mut process = serve.current_dir(folder).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        // Log lines are also written to stderr.
        while !line.starts_with("listening: ") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "serve ended");
        }
        let base = line.rsplit_once(' ').map(|(_, base)| base.trim().trim_end_matches('/').to_owned());
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).map(|_| log).unwrap()
        });
        let address = line.split(' ').nth(2).unwrap_or_default().trim_end_matches(',').to_owned();
        Self { process, log: Some(log), address, base: base.unwrap_or_else(|| panic!("serve says: {line:?}")) }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
