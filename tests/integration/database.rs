//! Database files: creation, locks, and error messages of the program.

mod damage;
mod files;
#[cfg(target_os = "linux")]
mod full_disk;
mod locks;
#[cfg(unix)]
mod permissions;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tailor_idp::idp::store::{ImportObserver, NewUser, SqliteDatabase, SqliteStore, Store as _};
use tempfile::TempDir;

use crate::support::{namespace, program};

/// Creates users until it cannot. Returns their number, and the error.
const FILL: &str = "export default async ({ from = 0, to }) => {
  const idp = new tailor.idp.Client('builtin-idp');
  for (let n = from; n < to; n++) {
    try { await idp.createUser({ name: `user${n}@example.com` }); } catch (error) { return [n, error.code, error.message]; }
  }
  return [to];
};";

/// A folder for a database, and the path of the database.
fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.db");
    (folder, path)
}

/// The store of the program's default namespace.
async fn open(path: &Path) -> SqliteStore {
    SqliteDatabase::open(path).unwrap().namespace(&namespace("builtin-idp")).await.unwrap()
}

/// A folder with a database of this many users, and the path of the database.
async fn place_with_users(count: usize) -> (TempDir, PathBuf) {
    let (folder, path) = place();
    let user = |n: usize| NewUser { name: format!("user{n}@example.com"), ..NewUser::default() };
    let observer: ImportObserver = Arc::new(|_| ControlFlow::Continue(()));
    open(&path).await.import((0..count).map(user).collect(), false, &observer).await.unwrap();
    (folder, path)
}

/// The program with these arguments, on this database.
fn program_on(path: &Path, arguments: &[&str]) -> Command {
    let mut program = program();
    program.args(arguments).arg("--db").arg(path);
    program
}
