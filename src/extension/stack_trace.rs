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
    let mut script = Vec::new();
    for index in 0..frames.length() {
        if let Some(frame) = frames.get_index(scope, index)
            && !is_of_extension(scope, frame)
        {
            script.push(frame);
        }
    }
    let script = Array::new_with_elements(scope, &script);
    prepare_stack_trace_callback(scope, error, script)
}

fn is_of_extension<'s>(scope: &mut PinScope<'s, '_>, frame: Local<'s, Value>) -> bool {
    // A script can reach the prototype of frames and make `getFileName` throw.
    v8::tc_scope!(let scope, scope);
    let file_name = || {
        let frame = frame.try_cast::<Object>().ok()?;
        let key = v8::String::new(scope, "getFileName")?;
        let get = frame.get(scope, key.into())?.try_cast::<v8::Function>().ok()?;
        Some(get.call(scope, frame.into(), &[])?.to_rust_string_lossy(scope))
    };
    file_name().is_some_and(|name| name.starts_with("ext:"))
}
