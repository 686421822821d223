//! Stack traces of errors, without the frames of extensions.

use deno_core::JsRuntime;
use deno_core::error::{format_stack_trace, prepare_stack_trace_callback};
use deno_core::v8::{self, Array, Local, Object, PinScope, Value};

/// Removes the frames of extensions from the stack traces of errors.
///
/// The function runtime does this for its isolates. A host with its own runtime can opt in.
pub fn hide_extension_frames(runtime: &mut JsRuntime) {
    runtime.v8_isolate().set_prepare_stack_trace_callback(prepare);
}

/// Called by V8 when a script first reads the stack of an error.
fn prepare<'s>(scope: &mut PinScope<'s, '_>, error: Local<'s, Value>, frames: Local<'s, Array>) -> Local<'s, Value> {
    let mut all = Vec::new();
    for index in 0..frames.length() {
        if let Some(frame) = frames.get_index(scope, index) {
            all.push((frame, origin(scope, frame)));
        }
    }
    let script: Vec<_> = (0..all.len()).filter(|index| is_shown(&all, *index)).map(|index| all[index].0).collect();
    let script = Array::new_with_elements(scope, &script);
    match long_header(scope, error) {
        None => prepare_stack_trace_callback(scope, error, script),
        Some(header) => with_header(scope, &header, error, script),
    }
}

/// Longest name and message in a stack trace, in UTF-16 code units. deno_core copies them several times without a check for
/// termination, and panics if the stack trace is longer than a string of V8 can be.
const MAX_HEADER: usize = 4 * 1024 * 1024;

/// What the stack trace of an error starts with if its message or name is too long for it.
fn long_header<'s>(scope: &mut PinScope<'s, '_>, error: Local<'s, Value>) -> Option<String> {
    let error = error.try_cast::<Object>().ok()?;
    // Getters of the script can throw.
    v8::tc_scope!(let scope, scope);
    let length = |key: &str| {
        let key = v8::String::new(scope, key)?;
        error.get(scope, key.into())?.try_cast::<v8::String>().ok().map(|text| text.length())
    };
    let (name, message) = (length("name").unwrap_or_default(), length("message").unwrap_or_default());
    (name + message > MAX_HEADER).then(|| format!("Error: (a name of {name} and a message of {message} characters)"))
}

/// The stack trace with another header.
fn with_header<'s>(
    scope: &mut PinScope<'s, '_>,
    header: &str,
    error: Local<'s, Value>,
    frames: Local<'s, Array>,
) -> Local<'s, Value> {
    // deno_core reads the frames of an error from this property.
    if let (Ok(error), Some(key)) = (error.try_cast::<Object>(), v8::String::new(scope, "deno_core::call_site_evals")) {
        let key = v8::Private::for_api(scope, Some(key));
        error.set_private(scope, key, frames.into());
    }
    // Of a value that is not an error, it formats the frames alone.
    let nothing = v8::undefined(scope).into();
    let trace = format_stack_trace(scope, nothing, frames).to_rust_string_lossy(scope);
    v8::String::new(scope, &format!("{header}{trace}")).map_or(nothing, Into::into)
}

/// Whether the frame is of the script, or of a built-in that the script calls or that calls the script. The others, such as the
/// constructor of a promise that an extension makes, are of the extension.
fn is_shown(frames: &[(Local<'_, Value>, Origin)], index: usize) -> bool {
    let is_of_script = |origin: Option<&Origin>| origin == Some(&Origin::Script);
    let own = |(_, origin): &(_, Origin)| (*origin != Origin::BuiltIn).then_some(*origin);
    match frames[index].1 {
        Origin::Script => true,
        Origin::Extension => false,
        Origin::BuiltIn => {
            is_of_script(frames[..index].iter().rev().find_map(own).as_ref())
                || is_of_script(frames[index..].iter().find_map(own).as_ref())
        }
    }
}

/// Whose code a frame is in.
#[derive(Clone, Copy, PartialEq)]
enum Origin {
    Script,
    Extension,
    /// A function of V8, which has no file.
    BuiltIn,
}

fn origin<'s>(scope: &mut PinScope<'s, '_>, frame: Local<'s, Value>) -> Origin {
    // A script can reach the prototype of frames and make its methods throw.
    v8::tc_scope!(let scope, scope);
    let call = |method: &str| {
        let frame = frame.try_cast::<Object>().ok()?;
        let key = v8::String::new(scope, method)?;
        let function = frame.get(scope, key.into())?.try_cast::<v8::Function>().ok()?;
        let value = function.call(scope, frame.into(), &[])?;
        Some((value.is_null_or_undefined(), value.is_true(), value.to_rust_string_lossy(scope)))
    };
    match call("getFileName") {
        Some((false, _, name)) if name.starts_with("ext:") => Origin::Extension,
        // The code of `eval` and `new Function` has no file either.
        Some((true, ..)) if call("isEval").is_some_and(|(_, is_eval, _)| !is_eval) => Origin::BuiltIn,
        _ => Origin::Script,
    }
}
