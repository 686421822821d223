//! Files that the program creates.

use pretty_assertions::assert_eq;

use super::{place, program_on};
use crate::support::{End, OPEN_SETTINGS};

#[test]
fn programs_that_create_one_new_database_at_once_all_succeed() {
    for round in 0..3 {
        let (_folder, path) = place();
        let create = |index: usize| {
            let mut create = program_on(&path, &["users", "create", "--json", &format!("user{index}@example.com")]);
            std::thread::spawn(move || End::of(&mut create))
        };
        let runs: Vec<_> = (0..8).map(create).collect();
        let ends: Vec<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
        let failed: Vec<_> = ends.iter().filter(|end| end.code != Some(0)).collect();
        assert_eq!(failed, Vec::<&End>::new(), "round {round}");
        assert_eq!(End::of(&mut program_on(&path, &["users", "list", "--json"])).json()["totalCount"], 8);
    }
}

#[test]
fn run_leaves_only_the_database_file() {
    let (folder, path) = place();
    let script = folder.path().join("script.js");
    let text = "export default async () => {
        const idp = new tailor.idp.Client('builtin-idp');
        await idp.deleteUser((await idp.createUser({ name: 'ana@example.com' })).id);
    };";
    std::fs::write(&script, text).unwrap();
    // Repeated: a database that is not closed in time leaves its log behind.
    for run in 0..15 {
        let end = End::of(&mut program_on(&path, &["run", "--config", OPEN_SETTINGS, script.to_str().unwrap()]));
        assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""));
        let files = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<_> = files.collect();
        files.sort();
        assert_eq!(files, ["script.js", "users.db"], "after run {run}");
    }
}

#[test]
fn users_create_turns_empty_file_into_database() {
    let (_folder, path) = place();
    std::fs::write(&path, "").unwrap();
    let create = End::of(&mut program_on(&path, &["users", "create", "ana@example.com"]));
    assert_eq!((create.code, create.stderr.as_str()), (Some(0), ""));
}

const CREATORS: &str = "`users create`, `users import` and `run` create one";

#[test]
fn users_list_creates_no_database() {
    let (_folder, path) = place();
    let list = End::of(&mut program_on(&path, &["users", "list"]));
    let stderr = format!("error: there is no database at {}: {CREATORS}\n", path.display());
    assert_eq!(list, End { code: Some(2), stdout: String::new(), stderr });
    assert!(!path.exists());
}
