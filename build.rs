//! Builds the V8 startup snapshot, which contains the web APIs and `tailor.idp`.
//!
//! The build script compiles `src/extension`, and the parts of `src/idp` that it needs, as modules of its own. The snapshot
//! and the program therefore use the same definitions.

use std::path::Path;

use deno_core::snapshot::{CreateSnapshotOptions, create_snapshot};

#[allow(dead_code, unused_imports, unreachable_pub, missing_docs)]
#[path = "src/extension/mod.rs"]
mod extension;

#[allow(dead_code, unused_imports, unreachable_pub, missing_docs)]
#[path = "src/idp"]
mod idp {
    pub(crate) mod error;
    mod interface;
    mod model;
    mod principal;

    pub use error::{Code, IdpError};
    pub use interface::IdentityProvider;
    pub use model::*;
    pub use principal::{Invoker, Principal};
}

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
