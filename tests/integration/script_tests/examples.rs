//! The cases in `examples`.

use std::path::Path;

use crate::support::{End, program};

#[test]
fn example_cases_pass() {
    let end = End::of(program().current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).args(["test", "examples"]));
    assert_eq!(end.code, Some(0), "{}\n{}", end.stdout, end.stderr);
    assert!(end.stdout.contains("examples/handlers/tests/"), "{}", end.stdout);
}
