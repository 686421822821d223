//! What is measured before it is formatted for the log.

use std::borrow::Cow;

use deno_core::{ExtensionFileSource, ascii_str_include};

const CONSOLE: &[ExtensionFileSource] =
    &[ExtensionFileSource::new("ext:tailor_console/console.js", ascii_str_include!("../../js/console.js"))];

/// The ops as the engine's own scripts see them, which have a view of their own.
const OPS: &[ExtensionFileSource] = &[ExtensionFileSource::new(
    "ext:tailor_console/ops.js",
    deno_core::ascii_str!("(function () { return __bootstrap.core.ops; })();"),
)];

deno_core::extension!(
    tailor_console,
    deps = [deno_web],
    esm_entry_point = "ext:tailor_console/console.js",
    customizer = |extension: &mut deno_core::Extension| {
        // In the binary rather than on the disk of whoever built it.
        extension.esm_files = Cow::Borrowed(CONSOLE);
        extension.lazy_loaded_js_files = Cow::Borrowed(OPS);
    },
    docs = "Bounds on what `console` formats. To be loaded before whatever loads the formatter.",
);
