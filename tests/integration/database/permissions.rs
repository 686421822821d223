//! Databases that the program may not read or write.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use pretty_assertions::assert_eq;
use tempfile::TempDir;

use super::{FILL, place_with_users};
use crate::support::{End, program};

/// The user id of `nobody`.
const NOBODY: u32 = 65534;

/// A folder that every user may read, with a database of one user, and a script.
struct Place {
    folder: TempDir,
    path: PathBuf,
    script: PathBuf,
}

impl Place {
    async fn new() -> Self {
        let (folder, path) = place_with_users(1).await;
        allow(folder.path(), 0o755);
        let script = folder.path().join("fill.js");
        std::fs::write(&script, FILL).unwrap();
        Self { folder, path, script }
    }

    /// Runs the program on the database at this path. As root, runs it as another user: file permissions do not apply to
    /// root.
    fn end(&self, arguments: &[&str], path: &Path) -> End {
        let mut command = if std::fs::metadata(self.folder.path()).unwrap().uid() == 0 {
            let mut command = Command::new(self.copied_program());
            command.env_remove("TAILOR_IDP_LOG").env("RUST_BACKTRACE", "0").uid(NOBODY).gid(NOBODY);
            command
        } else {
            program()
        };
        End::of(command.args(arguments).arg("--db").arg(path))
    }

    /// A copy of the program. Other users may not be able to look into the target folder.
    fn copied_program(&self) -> PathBuf {
        let copy = self.folder.path().join("tailor-idp");
        let original = env!("CARGO_BIN_EXE_tailor-idp");
        if !copy.exists() && std::fs::hard_link(original, &copy).is_err() {
            std::fs::copy(original, &copy).unwrap();
        }
        copy
    }

    fn check_read_only(&self) {
        let text = "the database is read-only: check who may write to the file and its folder";
        let before = std::fs::read(&self.path).unwrap();
        for arguments in [["users", "create", "bo@example.com"], ["run", self.script.to_str().unwrap(), "--arg={}"]] {
            let end = self.end(&arguments, &self.path);
            let stderr = format!("error: {}: {text}\n", self.path.display());
            assert_eq!(end, End { code: Some(1), stdout: String::new(), stderr });
        }
        assert!(std::fs::read(&self.path).unwrap() == before, "the file is unchanged");
    }
}

fn allow(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn program_reports_read_only_file() {
    let place = Place::new().await;
    allow(place.folder.path(), 0o777);
    allow(&place.path, 0o444);
    place.check_read_only();
}

#[tokio::test]
async fn program_reports_read_only_folder() {
    let place = Place::new().await;
    allow(&place.path, 0o666);
    allow(place.folder.path(), 0o555);
    place.check_read_only();
    let path = place.folder.path().join("new.db");
    let end = place.end(&["users", "create", "bo@example.com"], &path);
    allow(place.folder.path(), 0o755);
    let reason = "no file can be made in its folder: Permission denied (os error 13)";
    let stderr = format!("error: {}: cannot open the database: {reason}\n", path.display());
    assert_eq!(end, End { code: Some(1), stdout: String::new(), stderr });
}

#[tokio::test]
async fn program_reports_unreadable_file() {
    let place = Place::new().await;
    allow(&place.path, 0o000);
    let end = place.end(&["users", "list"], &place.path);
    let stderr =
        format!("error: {}: cannot open the database: Permission denied (os error 13)\n", place.path.display());
    assert_eq!(end, End { code: Some(2), stdout: String::new(), stderr });
}
