//! Files that the process may not read or write. File permissions do not apply to root, so the tests open the databases in
//! a process of another user.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use pretty_assertions::assert_eq;
use tempfile::TempDir;

use crate::processes::creating;
use crate::support::{insert, open};

/// The user id of `nobody`.
const NOBODY: u32 = 65534;

const READ_ONLY: &str = "the database is read-only: check who may write to the file and its folder";

/// Folders with a database, with this test binary, and for outcomes.
struct Place {
    folder: TempDir,
    path: PathBuf,
    program: PathBuf,
    outcomes: PathBuf,
}

impl Place {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        allow(folder.path(), 0o755);
        let database = folder.path().join("database");
        let outcomes = folder.path().join("outcomes");
        for path in [&database, &outcomes] {
            std::fs::create_dir(path).unwrap();
            allow(path, 0o777);
        }
        // A copy: other users may not be able to look into the target folder.
        let program = folder.path().join("core");
        let current = std::env::current_exe().unwrap();
        if std::fs::hard_link(&current, &program).is_err() {
            std::fs::copy(&current, &program).unwrap();
        }
        let path = database.join("users.db");
        insert(&open(&path, "users").await, "ana").await;
        Self { folder, path, program, outcomes }
    }

    /// The outcome of opening the database in a process to which file permissions apply.
    fn outcome(&self, path: &Path) -> String {
        let outcome = self.outcomes.join("outcome");
        let mut command = creating(&self.program, path, "bo", &outcome);
        if std::fs::metadata(self.folder.path()).unwrap().uid() == 0 {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        std::fs::read_to_string(outcome).unwrap()
    }
}

fn allow(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn open_reports_a_read_only_file() {
    let place = Place::new().await;
    allow(&place.path, 0o444);
    let before = std::fs::read(&place.path).unwrap();
    assert_eq!(place.outcome(&place.path), READ_ONLY);
    assert!(std::fs::read(&place.path).unwrap() == before, "the file is unchanged");
}

#[tokio::test]
async fn open_reports_a_read_only_folder() {
    let place = Place::new().await;
    let folder = place.path.parent().unwrap();
    allow(&place.path, 0o666);
    allow(folder, 0o555);
    let before = std::fs::read(&place.path).unwrap();
    assert_eq!(place.outcome(&place.path), READ_ONLY);
    let denied = "cannot open the database: no file can be made in its folder: Permission denied (os error 13)";
    assert_eq!(place.outcome(&folder.join("new.db")), denied);
    allow(folder, 0o777);
    assert!(std::fs::read(&place.path).unwrap() == before, "the file is unchanged");
}

#[tokio::test]
async fn open_reports_an_unreadable_file() {
    let place = Place::new().await;
    allow(&place.path, 0o000);
    assert_eq!(place.outcome(&place.path), "cannot open the database: Permission denied (os error 13)");
}

#[tokio::test]
async fn open_succeeds_for_another_user_with_permission() {
    let place = Place::new().await;
    allow(&place.path, 0o666);
    assert_eq!(place.outcome(&place.path), "ok");
}
