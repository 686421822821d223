//! The embedded store, whose outcomes are the expected ones.

use pretty_assertions::assert_eq;
use tempfile::TempDir;

use super::differences::sqlite_outcomes;

#[tokio::test(flavor = "multi_thread")]
async fn golden_scripts_over_a_database_in_a_file_are_as_in_memory() {
    for (case, in_memory) in sqlite_outcomes().await {
        let folder = TempDir::new().unwrap();
        let in_file = case.run_over_sqlite(Some(&folder.path().join("users.db"))).await;
        assert_eq!(in_file, *in_memory, "{}", case.name);
    }
}
