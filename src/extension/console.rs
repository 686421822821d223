//! What is measured before it is formatted for the log.

use std::borrow::Cow;

use deno_core::{ExtensionFileSource, ascii_str_include};

const CONSOLE: &[ExtensionFileSource] =
    &[ExtensionFileSource::new("ext:tailor_console/console.js", ascii_str_include!("../../js/console.js"))];

/// The engine's own scripts have a view of it of their own, with other ops than modules have.
const VIEW: &[ExtensionFileSource] = &[ExtensionFileSource::new(
    "ext:tailor_console/view.js",
    deno_core::ascii_str!("(function () { return __bootstrap; })();"),
)];

deno_core::extension!(
    tailor_console,
    deps = [deno_web],
    esm_entry_point = "ext:tailor_console/console.js",
    customizer = |extension: &mut deno_core::Extension| {
        // In the binary rather than on the disk of whoever built it.
        extension.esm_files = Cow::Borrowed(CONSOLE);
        extension.lazy_loaded_js_files = Cow::Borrowed(VIEW);
    },
    docs = "Bounds on what `console` formats. To be loaded before whatever loads the formatter.",
);
