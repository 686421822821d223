//! Configuration of isolates that does not depend on the execution.

use std::sync::Arc;

use crate::extension::FetchSettings;
#[cfg(feature = "inspector")]
use crate::function::inspector::Inspector;
use crate::idp::IdentityProvider;

/// Whether built-ins of ECMAScript have guards against long native loops and large results.
///
/// V8 runs some built-ins natively without a check for termination, such as
/// `[].indexOf.call({ length: 2 ** 53 - 1 }, 1)`, or aborts the process if their result does not fit its memory. Guards are
/// JavaScript wrappers around these built-ins, in `js/guards`:
///
/// - Methods of `Array`, also on array-likes, and lists of arguments: lengths above an eighth of
///   [`Limits::memory`](crate::function::Limits::memory) throw a `RangeError`.
/// - Methods of `String`, and functions that read text such as `JSON.parse`: texts of more UTF-16 code units than
///   `Limits::memory` has bytes throw a `RangeError`. Long searches are split.
/// - `Object.keys` and similar: more than 2^20 keys of a text or a typed array throw a `RangeError`.
/// - `SharedArrayBuffer`: growable buffers are refused, since their growth is not counted as memory.
///
/// A guard costs about 30 ns a call; the benchmark scenario `op_overhead` measures it. Creating an isolate takes equally long
/// with and without guards.
///
/// The guards are needed where isolates share a process: without them, a script can outlast its time limit until the built-in
/// returns, use far more memory than its limit, or abort the process. They are optional where the operating system limits the
/// process of a script, and where scripts are trusted. Limits of the web APIs and of WebCrypto do not depend on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BuiltinGuards {
    /// Scripts get guarded built-ins.
    #[default]
    Enabled,
    /// Scripts get the engine's own built-ins.
    Disabled,
}

/// Source of an isolate's global scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::function) enum GlobalScopeSource {
    /// Snapshot embedded in the program.
    Snapshot,
    /// JavaScript sources from which the snapshot is built.
    JavaScript,
}

/// Configuration of the isolates of a runtime.
#[derive(Clone)]
pub(in crate::function) struct IsolateConfig {
    pub(in crate::function) global_scope: GlobalScopeSource,
    pub(in crate::function) builtin_guards: BuiltinGuards,
    pub(in crate::function) idp: Arc<dyn IdentityProvider>,
    pub(in crate::function) fetch: FetchSettings,
    /// Whether `eval` and `new Function` work.
    pub(in crate::function) allow_code_from_strings: bool,
    #[cfg(feature = "inspector")]
    pub(in crate::function) inspector: Option<Inspector>,
}

impl IsolateConfig {
    /// Whether debuggers can attach.
    #[cfg(feature = "inspector")]
    pub(in crate::function) fn is_inspected(&self) -> bool {
        self.inspector.is_some()
    }

    /// Whether debuggers can attach.
    #[cfg(not(feature = "inspector"))]
    pub(in crate::function) const fn is_inspected(&self) -> bool {
        false
    }
}
