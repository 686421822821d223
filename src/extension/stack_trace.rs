//! Stack traces of errors, without the frames of extensions.

use deno_core::JsRuntime;
use deno_core::error::prepare_stack_trace_callback;
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
    prepare_stack_trace_callback(scope, error, script)
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
