//! The global scope of function scripts.

use std::borrow::Cow;

use deno_core::{ExtensionFileSource, FastStaticString, OpState, ascii_str, ascii_str_include, op2};
use serde::{Deserialize, Serialize};

use super::crypto_calls::{CryptoCalls, op_function_crypto_begin, op_function_crypto_end};
use super::external_memory::{op_function_check_text, op_function_memory_add, op_function_memory_release};
use super::lazy_scripts::{self, op_function_cache_script, op_function_compile_script, op_function_define_lazy};
use super::op_allowlist;
use super::timers::op_function_check_timers;

/// Severity of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LogLevel {
    /// `console.debug`.
    Debug,
    /// `console.log`, `console.info` and all methods without a level.
    Info,
    /// `console.warn`.
    Warn,
    /// `console.error`, `console.assert` and `console.trace`.
    Error,
}

impl LogLevel {
    /// The name of the level in log lines: `DEBUG`, `INFO`, `WARN` or `ERROR`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// Receives the output of `console`: one or more lines per call, without the final line break.
pub type ConsoleSink = Box<dyn Fn(LogLevel, &str)>;

/// Tells the scripts which engine runs them.
#[cfg(feature = "quickjs")]
const ENGINE: FastStaticString = ascii_str!("export const isQuickJs = true;");
#[cfg(not(feature = "quickjs"))]
const ENGINE: FastStaticString = ascii_str!("export const isQuickJs = false;");

const BOOTSTRAP: &[ExtensionFileSource] = &[
    ExtensionFileSource::new("ext:tailor_function/bootstrap.js", ascii_str_include!("../../js/bootstrap.js")),
    ExtensionFileSource::new("ext:tailor_function/clones.js", ascii_str_include!("../../js/clones.js")),
    ExtensionFileSource::new("ext:tailor_function/engine.js", ENGINE),
    ExtensionFileSource::new(
        "ext:tailor_function/guards/accessors.js",
        ascii_str_include!("../../js/guards/accessors.js"),
    ),
    ExtensionFileSource::new("ext:tailor_function/guards/buffers.js", ascii_str_include!("../../js/guards/buffers.js")),
    ExtensionFileSource::new("ext:tailor_function/guards/lengths.js", ascii_str_include!("../../js/guards/lengths.js")),
    ExtensionFileSource::new("ext:tailor_function/guards/arrays.js", ascii_str_include!("../../js/guards/arrays.js")),
    ExtensionFileSource::new("ext:tailor_function/guards/strings.js", ascii_str_include!("../../js/guards/strings.js")),
    ExtensionFileSource::new("ext:tailor_function/prototypes.js", ascii_str_include!("../../js/prototypes.js")),
    ExtensionFileSource::new("ext:tailor_function/lazy_scripts.js", ascii_str_include!("../../js/lazy_scripts.js")),
    ExtensionFileSource::new("ext:tailor_function/web_assembly.js", ascii_str_include!("../../js/web_assembly.js")),
];

/// Scripts loaded by the bootstrap that limit APIs of deno_core and of the web extensions.
const LIMITS: &[ExtensionFileSource] = &[
    ExtensionFileSource::new("ext:tailor_function/string_ops.js", ascii_str_include!("../../js/string_ops.js")),
    ExtensionFileSource::new("ext:tailor_function/timers.js", ascii_str_include!("../../js/timers.js")),
    ExtensionFileSource::new("ext:tailor_function/crypto.js", ascii_str_include!("../../js/crypto.js")),
    ExtensionFileSource::new("ext:tailor_function/fetch_bodies.js", ascii_str_include!("../../js/fetch_bodies.js")),
];

deno_core::extension!(
    tailor_function,
    deps = [tailor_console, deno_webidl, deno_web, deno_crypto, tailor_fetch],
    ops = [
        op_function_cache_script,
        op_function_check_text,
        op_function_check_timers,
        op_function_compile_script,
        op_function_console,
        op_function_crypto_begin,
        op_function_crypto_end,
        op_function_define_lazy,
        op_function_memory_add,
        op_function_memory_release,
    ],
    esm_entry_point = "ext:tailor_function/bootstrap.js",
    options = { console: ConsoleSink },
    // Applies to the ops of all extensions and of deno_core.
    middleware = op_allowlist::enforce,
    state = |state, options| {
        state.put(options.console);
        state.put(CryptoCalls::default());
    },
    customizer = |extension: &mut deno_core::Extension| {
        // Embeds the sources: the `esm` key would read them from the build machine's disk at run time.
        extension.esm_files = Cow::Borrowed(BOOTSTRAP);
        extension.lazy_loaded_js_files = Cow::Borrowed(LIMITS);
        extension.external_references = Cow::Owned(lazy_scripts::external_references().to_vec());
    },
    docs = "The global scope of function scripts: web APIs and `console`.",
);

/// The level that deno_web passes for `console.trace`.
const TRACE: i32 = 4;

#[op2(fast)]
fn op_function_console(state: &mut OpState, #[string] text: &str, #[smi] level: i32) {
    // `console.trace` logs the final line break in a separate call.
    let is_end_of_trace = level == TRACE && text == "\n";
    let level = match level {
        ..=0 => LogLevel::Debug,
        1 => LogLevel::Info,
        2 => LogLevel::Warn,
        _ => LogLevel::Error,
    };
    if is_end_of_trace {
        return;
    }
    let sink = state.borrow::<ConsoleSink>();
    sink(level, text.strip_suffix('\n').unwrap_or(text));
}
