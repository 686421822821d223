//! The global scope of function scripts.

use std::borrow::Cow;

use deno_core::{ExtensionFileSource, OpState, ascii_str_include, op2};

use super::closed_ops;
use super::kept::{
    CryptoCalls, op_function_crypto_begin, op_function_crypto_end, op_function_keep, op_function_release,
    op_function_text, op_function_timers,
};
use super::scripts::{self, op_function_define_lazily, op_function_script, op_function_script_done};

/// How a script logged a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// `console.debug`.
    Debug,
    /// `console.log`, `console.info` and what has no level.
    Info,
    /// `console.warn`.
    Warn,
    /// `console.error`, `console.assert` and `console.trace`.
    Error,
}

impl LogLevel {
    /// The level as log lines carry it: `DEBUG`, `INFO`, `WARN` or `ERROR`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// Takes what a script logs, a line or several at a time, without the last line break.
pub type ConsoleSink = Box<dyn Fn(LogLevel, &str)>;

const BOOTSTRAP: &[ExtensionFileSource] = &[
    ExtensionFileSource::new("ext:tailor_function/bootstrap.js", ascii_str_include!("../../js/bootstrap.js")),
    ExtensionFileSource::new("ext:tailor_function/clones.js", ascii_str_include!("../../js/clones.js")),
    ExtensionFileSource::new("ext:tailor_function/guards/buffers.js", ascii_str_include!("../../js/guards/buffers.js")),
    ExtensionFileSource::new("ext:tailor_function/guards/lengths.js", ascii_str_include!("../../js/guards/lengths.js")),
    ExtensionFileSource::new("ext:tailor_function/guards/lists.js", ascii_str_include!("../../js/guards/lists.js")),
    ExtensionFileSource::new("ext:tailor_function/guards/texts.js", ascii_str_include!("../../js/guards/texts.js")),
    ExtensionFileSource::new("ext:tailor_function/originals.js", ascii_str_include!("../../js/originals.js")),
    ExtensionFileSource::new("ext:tailor_function/scripts.js", ascii_str_include!("../../js/scripts.js")),
];

/// What the bootstrap loads to bound what the engine does not.
const BOUNDS: &[ExtensionFileSource] = &[
    ExtensionFileSource::new("ext:tailor_function/texts.js", ascii_str_include!("../../js/texts.js")),
    ExtensionFileSource::new("ext:tailor_function/timers.js", ascii_str_include!("../../js/timers.js")),
    ExtensionFileSource::new("ext:tailor_function/crypto.js", ascii_str_include!("../../js/crypto.js")),
];

deno_core::extension!(
    tailor_function,
    deps = [tailor_console, deno_webidl, deno_web, deno_crypto, tailor_fetch],
    ops = [
        op_function_console,
        op_function_crypto_begin,
        op_function_crypto_end,
        op_function_define_lazily,
        op_function_keep,
        op_function_release,
        op_function_script,
        op_function_script_done,
        op_function_text,
        op_function_timers,
    ],
    esm_entry_point = "ext:tailor_function/bootstrap.js",
    options = { console: ConsoleSink },
    // Of every extension and of the engine itself.
    middleware = closed_ops::close,
    state = |state, options| {
        state.put(options.console);
        state.put(CryptoCalls::default());
    },
    customizer = |extension: &mut deno_core::Extension| {
        // In the binary rather than on the disk of whoever built it.
        extension.esm_files = Cow::Borrowed(BOOTSTRAP);
        extension.lazy_loaded_js_files = Cow::Borrowed(BOUNDS);
        extension.external_references = Cow::Owned(scripts::external_references().to_vec());
    },
    docs = "The global scope of function scripts: web APIs and `console`.",
);

#[op2(fast)]
fn op_function_console(state: &mut OpState, #[string] text: &str, #[smi] level: i32) {
    let level = match level {
        ..=0 => LogLevel::Debug,
        1 => LogLevel::Info,
        2 => LogLevel::Warn,
        _ => LogLevel::Error,
    };
    // `console.trace` sends the line break by itself.
    if text != "\n" {
        let sink = state.borrow::<ConsoleSink>();
        sink(level, text.strip_suffix('\n').unwrap_or(text));
    }
}
