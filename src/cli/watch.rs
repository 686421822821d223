//! Which files a run depends on, and when one of them has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::timeout;

/// How long the file system has to be quiet: an editor that saves takes the file away, or empties it, for a moment.
const QUIET: Duration = Duration::from_millis(100);

/// How long that is waited for: a database beside the script may never be quiet.
const UNREST: Duration = Duration::from_secs(1);

/// What files hold, as far as it matters: whether that changes.
pub(super) type Contents = BTreeMap<PathBuf, Option<u64>>;

/// Watches the folders of files rather than the files: saving often puts another file in the place of the first.
pub(super) struct FileWatch {
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
    events: UnboundedReceiver<()>,
}

impl FileWatch {
    pub(super) fn new() -> anyhow::Result<Self> {
        let (sender, events) = mpsc::unbounded_channel();
        let notice = move |event: notify::Result<Event>| {
            // What a run does itself, namely reading, is no change. An error may stand for anything.
            if event.is_ok_and(|event| event.kind.is_access()) {
                return;
            }
            // Nobody listens any more: then it is over.
            let _ = sender.send(());
        };
        let watcher = notify::recommended_watcher(notice).context("cannot watch files")?;
        Ok(Self { watcher, folders: BTreeSet::new(), events })
    }

    /// Begins to watch these files, in place of others, and returns what they hold now.
    ///
    /// # Errors
    ///
    /// Where the system has no more watches to give.
    pub(super) fn watch(&mut self, files: &BTreeSet<PathBuf>) -> anyhow::Result<Contents> {
        self.follow(files)?;
        Ok(contents(files))
    }

    /// Watches the folders that the files are in now, or would be.
    fn follow<'a>(&mut self, files: impl IntoIterator<Item = &'a PathBuf>) -> anyhow::Result<()> {
        let folders: BTreeSet<PathBuf> = files.into_iter().filter_map(|file| folder_of(file)).collect();
        for folder in self.folders.difference(&folders) {
            // One that is gone is not watched any more.
            let _ = self.watcher.unwatch(folder);
        }
        for folder in &folders {
            // Again each time: it may be another folder of that name.
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

    /// Waits until a file holds something else than it did, and returns which do.
    pub(super) async fn changed(&mut self, before: &Contents) -> anyhow::Result<Vec<PathBuf>> {
        let mut is_settled = false;
        loop {
            // A folder may have come, or gone.
            self.follow(before.keys())?;
            let changed: Vec<_> =
                before.iter().filter(|(path, held)| content(path) != **held).map(|(path, _)| path.clone()).collect();
            if !changed.is_empty() && is_settled {
                return Ok(changed);
            }
            if changed.is_empty() {
                // The sender lives as long as the watcher, and that as long as this.
                let _ = self.events.recv().await;
            }
            let quiet = async { while let Ok(Some(())) = timeout(QUIET, self.events.recv()).await {} };
            // Where it is never quiet, it is another file that changes.
            let _ = timeout(UNREST, quiet).await;
            is_settled = true;
        }
    }
}

fn contents<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Contents {
    files.into_iter().map(|path| (path.clone(), content(path))).collect()
}

/// Nothing where the file cannot be read.
fn content(path: &Path) -> Option<u64> {
    // A pipe would not end.
    let bytes = path.is_file().then(|| std::fs::read(path).ok()).flatten()?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Some(hasher.finish())
}

/// The nearest folder above the file that is there.
fn folder_of(file: &Path) -> Option<PathBuf> {
    let folder = file.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.is_dir())?;
    Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
}
