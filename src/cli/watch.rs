//! Watching files for changes of their content.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::timeout;

/// Time without file events before a change counts: editors remove or truncate a file for a moment when they save it.
const QUIET_PERIOD: Duration = Duration::from_millis(100);

/// Maximum wait for the quiet period: a database in the same folder may change all the time.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Hash of the content of each file; `None` for files that cannot be read.
pub(super) type ContentHashes = BTreeMap<PathBuf, Option<u64>>;

/// Watches the folders of files rather than the files, because many editors save by replacing the file.
pub(super) struct FileWatch {
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
    events: UnboundedReceiver<()>,
}

impl FileWatch {
    pub(super) fn new() -> anyhow::Result<Self> {
        let (sender, events) = mpsc::unbounded_channel();
        let notice = move |event: notify::Result<Event>| {
            // Ignore reads, which a run itself causes. Errors count as events: they may hide any change.
            if event.is_ok_and(|event| event.kind.is_access()) {
                return;
            }
            // Fails only once the receiver is dropped.
            let _ = sender.send(());
        };
        let watcher = notify::recommended_watcher(notice).context("cannot watch files")?;
        Ok(Self { watcher, folders: BTreeSet::new(), events })
    }

    /// Watches these files instead of the previous ones, and returns their current content.
    ///
    /// # Errors
    ///
    /// The system cannot watch a folder, for example because it is out of watches.
    pub(super) fn watch(&mut self, files: &BTreeSet<PathBuf>) -> anyhow::Result<ContentHashes> {
        self.watch_folders(files)?;
        Ok(content_hashes(files))
    }

    /// Watches the folders of the files; for missing folders, their nearest existing ancestor.
    fn watch_folders<'a>(&mut self, files: impl IntoIterator<Item = &'a PathBuf>) -> anyhow::Result<()> {
        let folders: BTreeSet<PathBuf> = files.into_iter().filter_map(|file| folder_of(file)).collect();
        for folder in self.folders.difference(&folders) {
            // Fails for a folder that was removed, which is no longer watched anyway.
            let _ = self.watcher.unwatch(folder);
        }
        for folder in &folders {
            // Watch again even if unchanged: the folder may have been replaced by another of the same name.
            match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                Err(error) if folder.is_dir() => {
                    return Err(error).with_context(|| format!("cannot watch {}", folder.display()));
                }
                _ => {}
            }
        }
        self.folders = folders;
        Ok(())
    }

    /// Waits until the content of a file differs from `before`, and returns the files that differ.
    pub(super) async fn changed(&mut self, before: &ContentHashes) -> anyhow::Result<Vec<PathBuf>> {
        let mut is_settled = false;
        loop {
            // Folders may have been created or removed.
            self.watch_folders(before.keys())?;
            let changed: Vec<_> = before
                .iter()
                .filter(|(path, held)| content_hash(path) != **held)
                .map(|(path, _)| path.clone())
                .collect();
            if !changed.is_empty() && is_settled {
                return Ok(changed);
            }
            if changed.is_empty() {
                // Never `None`: the watcher, which lives as long as `self`, owns the sender.
                let _ = self.events.recv().await;
            }
            let quiet = async { while let Ok(Some(())) = timeout(QUIET_PERIOD, self.events.recv()).await {} };
            // On a timeout, another file keeps changing.
            let _ = timeout(SETTLE_TIMEOUT, quiet).await;
            is_settled = true;
        }
    }
}

fn content_hashes<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> ContentHashes {
    files.into_iter().map(|path| (path.clone(), content_hash(path))).collect()
}

/// `None` if the file cannot be read.
fn content_hash(path: &Path) -> Option<u64> {
    // Reading a named pipe would block.
    let bytes = path.is_file().then(|| std::fs::read(path).ok()).flatten()?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Some(hasher.finish())
}

/// The nearest existing ancestor folder of the file.
fn folder_of(file: &Path) -> Option<PathBuf> {
    let folder = file.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.is_dir())?;
    Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
}
