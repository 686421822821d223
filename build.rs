//! Builds the V8 startup snapshot, which contains the web APIs and `tailor.idp`.
//!
//! The build script compiles `src/extension` as a module of its own, over the same identity side (`tailor-idp-core`) as the
//! program. The snapshot and the program therefore use the same definitions.

use std::path::Path;

use deno_core::snapshot::{CreateSnapshotOptions, create_snapshot};

#[allow(dead_code, unused_imports, unreachable_pub, missing_docs)]
#[path = "src/extension/mod.rs"]
mod extension;

// The name under which the extension knows the identity side.
use tailor_idp_core as idp;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let snapshot = create_snapshot(
        CreateSnapshotOptions {
            cargo_manifest_dir: env!("CARGO_MANIFEST_DIR"),
            startup_snapshot: None,
            skip_op_registration: false,
            extensions: extension::function_extensions(),
            extension_transpiler: None,
            with_runtime_cb: None,
        },
        None,
    )?;
    for file in &snapshot.files_loaded_during_snapshot {
        println!("cargo:rerun-if-changed={}", file.display());
    }
    println!("cargo:rerun-if-changed=build.rs");
    let out = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&out).join("function.snapshot"), &snapshot.output)?;
    Ok(())
}
