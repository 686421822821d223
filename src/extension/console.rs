//! `console`: limits on what is formatted for the log. See `js/console.js`.

use std::borrow::Cow;

use deno_core::{ExtensionFileSource, ascii_str_include};

const CONSOLE: &[ExtensionFileSource] =
    &[ExtensionFileSource::new("ext:tailor_console/console.js", ascii_str_include!("../../js/console.js"))];

/// Returns the `__bootstrap` object of the lazily loaded scripts of extensions. Modules get another one, with other ops.
const VIEW: &[ExtensionFileSource] = &[ExtensionFileSource::new(
    "ext:tailor_console/view.js",
    deno_core::ascii_str!("(function () { return __bootstrap; })();"),
)];

deno_core::extension!(
    tailor_console,
    deps = [deno_web],
    esm_entry_point = "ext:tailor_console/console.js",
    customizer = |extension: &mut deno_core::Extension| {
        // Embeds the sources: the `esm` key would read them from the build machine's disk at run time.
        extension.esm_files = Cow::Borrowed(CONSOLE);
        extension.lazy_loaded_js_files = Cow::Borrowed(VIEW);
    },
    docs = "Limits what `console` formats. Must be loaded before any script that loads the formatter.",
);
