//! Finding the folders that are test cases.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::case::{ARGUMENT_FILE, CASE_FILE, EXPECTATION, QUICKJS_EXPECTATION, SCRIPTS};

/// Folders of dependencies and build output. A case may still have such a name.
const SKIPPED: [&str; 2] = ["node_modules", "target"];

/// A folder that is a test case.
pub(super) struct CaseFolder {
    /// Path relative to the working directory, with `/` on every system.
    pub(super) name: String,
    /// Absolute path.
    pub(super) folder: PathBuf,
}

/// Finds the cases in these folders and below them, each once, sorted by path.
///
/// # Errors
///
/// A path cannot be read or is not a folder.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<CaseFolder>, String> {
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_default();
    let mut folders = BTreeSet::new();
    for path in paths {
        let unreadable = |error| format!("cannot read {}: {error}", path.display());
        let folder = path.canonicalize().map_err(unreadable)?;
        if !folder.is_dir() {
            return Err(format!("{} is a file: a case is a folder", path.display()));
        }
        let mut found = BTreeSet::new();
        walk(&folder, &mut found).map_err(unreadable)?;
        // A folder with a script counts if it was named: it may have no expected output yet.
        if found.is_empty() && folder != here && has_script(&folder) {
            found.insert(folder);
        }
        folders.append(&mut found);
    }
    Ok(folders.into_iter().map(|folder| CaseFolder { name: name(&folder, &here), folder }).collect())
}

/// Does not follow symbolic links to folders: they may form cycles, and would find cases twice.
fn walk(folder: &Path, found: &mut BTreeSet<PathBuf>) -> std::io::Result<()> {
    if is_case(folder) {
        found.insert(folder.to_owned());
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let skipped = name.as_encoded_bytes().starts_with(b".") || SKIPPED.iter().any(|skipped| name == *skipped);
        if entry.file_type()?.is_dir() && (!skipped || is_case(&path)) {
            walk(&path, found)?;
        }
    }
    Ok(())
}

fn is_case(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).is_file();
    [EXPECTATION, QUICKJS_EXPECTATION, CASE_FILE].into_iter().any(has) || (has(ARGUMENT_FILE) && has_script(folder))
}

fn has_script(folder: &Path) -> bool {
    SCRIPTS.iter().any(|name| folder.join(name).is_file())
}

fn name(folder: &Path, here: &Path) -> String {
    let near = folder.strip_prefix(here).unwrap_or(folder);
    let near = if near.as_os_str().is_empty() { folder.file_name().map_or(folder, Path::new) } else { near };
    near.display().to_string().replace(std::path::MAIN_SEPARATOR, "/")
}
