//! Checks the declarations of `tailor-idp types` with the TypeScript compiler, on the handlers in `tests/types/`.
//!
//! - `right/`: handlers that must compile.
//! - `wrong/`: each line with a comment such as `// TS2345` must give exactly these errors. Other lines must give none.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use pretty_assertions::assert_eq;
use regex::Regex;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Set to `1` to skip these tests without a compiler.
const SKIP: &str = "TAILOR_IDP_SKIP_TYPES";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/types")
}

/// The compiler, or `None` if it is not installed and [`SKIP`] is set.
fn compiler() -> Option<PathBuf> {
    let compiler = folder().join("node_modules/typescript/lib/tsc.js");
    if compiler.exists() {
        return Some(compiler);
    }
    let why = "the TypeScript compiler is not installed: run `npm ci` in tests/types";
    assert!(std::env::var_os(SKIP).is_some_and(|value| value == "1"), "{why}, or set {SKIP}=1 to do without it");
    eprintln!("left out, since {SKIP} is set: {why}");
    None
}

/// The errors of all handlers in `samples`, as `file:line TScode: text`, or `None` without a compiler.
fn errors(samples: &str, libraries: &[&str]) -> Option<Vec<String>> {
    let options = json!({
        "noEmit": true,
        "strict": true,
        "noUncheckedIndexedAccess": true,
        "allowJs": true,
        "checkJs": true,
        "target": "es2024",
        "module": "esnext",
        "moduleResolution": "bundler",
        "lib": libraries,
        "types": [],
    });
    errors_with(samples, options)
}

fn errors_with(samples: &str, options: Value) -> Option<Vec<String>> {
    static ERROR: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)^(?:[^(\n]*/)?([^(/\n]+)\((\d+),\d+\): error (TS\d+: .*)$").unwrap());

    let compiler = compiler()?;
    let scratch = TempDir::new().unwrap();
    let types = Command::new(env!("CARGO_BIN_EXE_tailor-idp")).arg("types").output().unwrap();
    assert!(types.status.success(), "`tailor-idp types` failed");
    let declarations = scratch.path().join("tailor.d.ts");
    std::fs::write(&declarations, types.stdout).unwrap();
    let include = [declarations, folder().join(samples).join("*")];
    let project = json!({ "compilerOptions": options, "include": include }).to_string();
    std::fs::write(scratch.path().join("tsconfig.json"), project).unwrap();

    let output =
        Command::new("node").arg(compiler).args(["--pretty", "false", "--project"]).arg(scratch.path()).output();
    let output = output.unwrap_or_else(|error| panic!("node, which runs the TypeScript compiler: {error}"));
    let printed = String::from_utf8(output.stdout).unwrap();
    let errors: Vec<_> = ERROR
        .captures_iter(&printed)
        .map(|error| {
            let [file, line, text] = error.extract().1;
            format!("{file}:{line} {text}")
        })
        .collect();
    // An error without a position is one of the project or of the compiler.
    let total = printed.lines().filter(|line| line.contains("error TS")).count();
    assert!(output.status.success() == errors.is_empty() && total == errors.len(), "{printed}");
    Some(errors)
}

/// The errors that comments in `wrong/` name, as `file:line TScode`.
fn expected() -> Vec<String> {
    let mut expected = Vec::new();
    for entry in folder().join("wrong").read_dir().unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy();
        let text = std::fs::read_to_string(&path).unwrap();
        for (index, line) in text.lines().enumerate() {
            let codes = line.rsplit_once("// ").map_or("", |(_, comment)| comment).split(' ');
            let codes = codes.filter(|code| code.starts_with("TS"));
            expected.extend(codes.map(|code| format!("{file}:{} {code}", index + 1)));
        }
    }
    expected.sort();
    expected
}

#[test]
fn right_handlers_compile() {
    if let Some(errors) = errors("right", &["es2024"]) {
        assert_eq!(errors, Vec::<String>::new());
    }
}

#[test]
fn right_handlers_compile_with_dom_declarations() {
    if let Some(errors) = errors("right", &["es2024", "dom", "dom.iterable"]) {
        assert_eq!(errors, Vec::<String>::new());
    }
}

#[test]
fn wrong_handlers_give_errors_named_in_comments() {
    let Some(errors) = errors("wrong", &["es2024"]) else { return };
    let mut found: Vec<_> = errors.iter().filter_map(|error| Some(error.split_once(": ")?.0.to_owned())).collect();
    found.sort();
    let expected = expected();
    assert!(expected.len() > 100, "expected more than 100 comments: {expected:?}");
    assert_eq!(found, expected, "\n{}", errors.join("\n"));
}

#[test]
fn right_handlers_compile_with_the_configuration_of_the_readme() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, rest) = readme.split_once("```json\n{\n  \"compilerOptions\"").unwrap();
    let (text, _) = rest.split_once("\n```").unwrap();
    let project: Value = serde_json::from_str(&format!("{{\"compilerOptions\"{text}")).unwrap();
    if let Some(errors) = errors_with("right", project["compilerOptions"].clone()) {
        assert_eq!(errors, Vec::<String>::new());
    }
}

#[test]
fn lock_file_pins_compiler_without_registry_address() {
    let lock = std::fs::read_to_string(folder().join("package-lock.json")).unwrap();
    let lock: Value = serde_json::from_str(&lock).unwrap();
    let packages = lock["packages"].as_object().unwrap();
    let pinned: Vec<_> = packages.keys().filter(|name| !name.is_empty()).collect();
    assert_eq!(pinned, ["node_modules/typescript"]);
    assert_eq!(packages["node_modules/typescript"].get("resolved"), None, "an address ties the lock to one registry");
    let version = &packages["node_modules/typescript"]["version"];
    assert_eq!(&packages[""]["devDependencies"]["typescript"], version, "package.json names the version exactly");
}
