//! The startup snapshot behaves like the sources it is built from.

use std::fs;
use std::process::Command;

use pretty_assertions::assert_eq;
use tempfile::TempDir;

const SCRIPTS: [(&str, &str); 6] = [
    (
        "the global scope with all property descriptors",
        "export default () => Reflect.ownKeys(globalThis).map((key) => {
           const { value, get, enumerable, writable, configurable } = Object.getOwnPropertyDescriptor(globalThis, key);
           return [String(key), typeof value, value?.name, typeof get, enumerable, writable, configurable].join();
         }).sort()",
    ),
    (
        "the client, and the console",
        "export default async () => {
           const idp = new tailor.idp.Client('builtin-idp');
           const { name } = await idp.createUser({ name: 'Ana@example.com' });
           console.log(name, await idp.users().then(({ totalCount }) => totalCount), idp);
           console.table([{ a: 1 }]);
           await idp.createUser({ name });
         }",
    ),
    (
        "crypto",
        "export default async () => {
           const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode('abc'));
           return [Array.from(new Uint8Array(digest)), crypto.randomUUID().length, String(crypto)];
         }",
    ),
    (
        "streams, timers and clones",
        "export default async () => {
           const { readable, writable } = new CompressionStream('gzip');
           const sink = writable.getWriter();
           sink.write(new TextEncoder().encode('hello')); sink.close();
           const chunks = await Array.fromAsync(readable.pipeThrough(new DecompressionStream('gzip')));
           await new Promise((done) => setTimeout(done, 1));
           return [new TextDecoder().decode(chunks[0]), new URL('?a=1', 'https://example.com/x').href,
             structuredClone(new Map([[1, { a: [1n] }]])).get(1).a[0].toString()];
         }",
    ),
    ("a failure while the module loads", "new tailor.idp.Client('No')"),
    ("a failure of the handler", "export default () => nothing.there"),
];

/// Runs a script in its own process, and returns its stdout and stderr.
///
/// V8 shares its read-only heap among isolates: isolates with and without the snapshot cannot be in one process.
fn output(text: &str, flags: &[&str]) -> String {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("main.js"), text).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_tailor-idp"));
    let output = program.args(["run", "main.js"]).args(flags).current_dir(folder.path()).output().unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).join("--- stderr\n");
    text.replace(&folder.path().display().to_string(), "")
}

#[test]
fn runs_from_snapshot_and_from_sources_print_the_same() {
    for (what, text) in SCRIPTS {
        assert_eq!(output(text, &[]), output(text, &["--without-snapshot"]), "{what}");
    }
}
