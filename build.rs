//! Builds the V8 startup snapshot, which contains the web APIs and `tailor.idp`, and collects the scripts that are loaded later.
//!
//! The build script compiles `src/extension` as a module of its own, over the same identity side (`tailor-idp-core`) as the
//! program. The snapshot and the program therefore use the same definitions.

use std::fmt::Write;
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
    let out = Path::new(&out);
    std::fs::write(out.join("function.snapshot"), &snapshot.output)?;
    embed_lazy_scripts(out)?;
    Ok(())
}

/// Writes the scripts that isolates load on first use, and a list of them for the program to include.
fn embed_lazy_scripts(out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut list = String::from("&[\n");
    for (index, (specifier, source)) in extension::lazy_script_sources()?.into_iter().enumerate() {
        let file = out.join(format!("lazy_script_{index}.js"));
        std::fs::write(&file, source)?;
        writeln!(list, "    ({specifier:?}, include_str!({file:?})),")?;
    }
    list.push_str("]\n");
    std::fs::write(out.join("lazy_scripts.rs"), list)?;
    Ok(())
}
