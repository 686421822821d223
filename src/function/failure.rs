//! What a script has thrown, or the engine has to say of it, as an execution's error.

use std::rc::Rc;

use deno_core::error::{CoreError, CoreErrorKind, JsError, exception_to_err};
use deno_core::v8::{self, Local, PinScope, Value};
use deno_error::JsErrorClass;

use super::code_frame::CodeFrame;
use super::execution::{ErrorKind, ExecutionError};
use super::loader::ScriptLoader;
use super::script::Place;

/// How the engine begins to say that nothing is left to run that could settle a module's `await`.
const STALLED_MODULE: &str = "Top-level await promise never resolved";

/// What the script threw, or rejected with.
///
/// An exception in an event listener comes by another way: the engine has noted it, and ended the script.
pub(super) fn thrown<'s>(scope: &mut PinScope<'s, '_>, value: Option<Local<'s, Value>>) -> ExecutionError {
    let value = value.unwrap_or_else(|| v8::undefined(scope).into());
    // Reading an error can run the script's code: its `prepareStackTrace`, or a getter.
    v8::tc_scope!(let scope, scope);
    let error = exception_to_err(scope, value, false, true);
    let loader = scope.get_slot::<Rc<ScriptLoader>>().cloned();
    let mut error = js_error(&error, ErrorKind::UserRuntime, loader.as_deref());
    // The engine has no more to say of an object that is no error than that it is one.
    if value.is_object() && !value.is_native_error() && error.stack_trace.is_none() {
        let json = v8::json::stringify(scope, value).filter(|_| !value.is_function());
        if let Some(json) = json {
            error.message = format!("Uncaught {}", json.to_rust_string_lossy(scope));
        }
    }
    error
}

/// Why the script's module cannot be loaded, or the event loop cannot go on.
pub(super) fn engine_error(error: CoreError, kind: ErrorKind, loader: &ScriptLoader) -> ExecutionError {
    match error.into_kind() {
        CoreErrorKind::Js(error) => js_error(&error, kind, Some(loader)),
        CoreErrorKind::PendingPromiseResolution => stalled_module(),
        // An import that is refused, or a module that is no TypeScript.
        CoreErrorKind::JsBox(error) => {
            let (name, message) = (error.get_class(), error.get_message());
            let place = loader.refused_at(&message);
            let at = place.as_ref().map(|place| format!("\n    at {}:{}:{}", place.file, place.line, place.column));
            let stack_trace = Some(format!("{name}: {message}{}", at.unwrap_or_default()));
            let code_frame = place.and_then(|place| loader.code_frame(place));
            ExecutionError { stack_trace, code_frame, ..ExecutionError::unusable(&name, message) }
        }
        other => ExecutionError::unusable("Error", other.to_string()),
    }
}

/// Bytes of an error's message, and of its stack with those of its causes: what a person reads, and a host keeps.
const MAX_MESSAGE: usize = 64 * 1024;
const MAX_STACK: usize = 256 * 1024;

/// The text, cut where it is too long.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}… ({} bytes in all)", &text[..text.floor_char_boundary(most)], text.len())
}

fn js_error(error: &JsError, kind: ErrorKind, loader: Option<&ScriptLoader>) -> ExecutionError {
    let place = place(error);
    let code_frame = loader.and_then(|loader| code_frame(error, loader));
    let Some(name) = &error.name else {
        if error.exception_message.contains(STALLED_MODULE) {
            return stalled_module();
        }
        // Something was thrown that is no error: the engine has words for it.
        let message = cut(&error.exception_message, MAX_MESSAGE);
        return ExecutionError { code_frame, ..ExecutionError::of(kind, String::new(), message, None) };
    };
    let message = cut(error.message.as_deref().unwrap_or_default(), MAX_MESSAGE);
    let mut stack = match &error.stack {
        Some(stack) => cut(stack, MAX_STACK),
        None => format!("{name}: {message}"),
    };
    // The stack of a syntax error has no lines, but the error has a place.
    if !stack.contains("\n    at ") {
        stack.push_str(&place.unwrap_or_default());
    }
    for inner in error.aggregated.iter().flatten() {
        if stack.len() > MAX_STACK {
            stack.push_str("\n    …");
            break;
        }
        stack.push_str("\n    ");
        stack.push_str(&js_error(inner, kind, None).to_string().replace('\n', "\n    "));
    }
    if let Some(cause) = error.cause.as_ref().filter(|_| stack.len() <= MAX_STACK) {
        stack.push_str("\nCaused by: ");
        stack.push_str(&js_error(cause, kind, None).to_string());
    }
    ExecutionError { code_frame, ..ExecutionError::of(kind, name.clone(), message, Some(stack)) }
}

/// The source of the first frame that has one.
fn code_frame(error: &JsError, loader: &ScriptLoader) -> Option<CodeFrame> {
    error.frames.iter().find_map(|frame| {
        let file = frame.file_name.clone()?;
        let place = |number: i64| usize::try_from(number).ok();
        loader.code_frame(Place { file, line: place(frame.line_number?)?, column: place(frame.column_number?)? })
    })
}

fn place(error: &JsError) -> Option<String> {
    let frame = error.frames.first()?;
    Some(format!("\n    at {}:{}:{}", frame.file_name.as_ref()?, frame.line_number?, frame.column_number?))
}

fn stalled_module() -> ExecutionError {
    ExecutionError::unusable(
        "Error",
        "the module's top-level await never settles: nothing is left to run that could settle it",
    )
}
