//! Conversion of script exceptions and engine errors into [`ExecutionError`]s.

use std::rc::Rc;

use deno_core::error::{CoreError, CoreErrorKind, JsError, JsStackFrame, exception_to_err};
use deno_core::v8::{self, Local, PinScope, Value};
use deno_error::JsErrorClass;

use super::code_frame::CodeFrame;
use super::execution::{ErrorKind, ExecutionError};
use super::loader::ScriptLoader;
use super::missing_globals;
use super::script::SourceLocation;

/// Prefix of deno_core's message for a top-level `await` that can never settle.
const STALLED_MODULE_MESSAGE: &str = "Top-level await promise never resolved";

/// Error of a value that the script threw or rejected with.
///
/// Exceptions in event listeners do not come here: deno_core records them and returns them from the event loop.
pub(super) fn from_exception<'s>(scope: &mut PinScope<'s, '_>, value: Option<Local<'s, Value>>) -> ExecutionError {
    let value = value.unwrap_or_else(|| v8::undefined(scope).into());
    // Reading an error can call into the script: `Error.prepareStackTrace`, or a getter.
    v8::tc_scope!(let scope, scope);
    let value = with_short_message(scope, value);
    let error = exception_to_err(scope, value, false, true);
    let loader = scope.get_slot::<Rc<ScriptLoader>>().cloned();
    let mut error = js_error(&error, ErrorKind::UserRuntime, loader.as_deref());
    // V8 gives no message for objects that are not errors: serialize them.
    if value.is_object() && !value.is_native_error() && error.stack_trace.is_none() {
        let json = v8::json::stringify(scope, value).filter(|_| !value.is_function());
        if let Some(json) = json {
            error.message = truncate(&format!("Uncaught {}", json.to_rust_string_lossy(scope)), MAX_MESSAGE_BYTES);
        }
    }
    error
}

/// Longest message that deno_core may copy, in UTF-16 code units. Far above [`MAX_MESSAGE_BYTES`].
const MAX_COPIED_MESSAGE: usize = 4 * 1024 * 1024;

/// The value, or another error if its message is so long that copying it takes a second.
fn with_short_message<'s>(scope: &mut PinScope<'s, '_>, value: Local<'s, Value>) -> Local<'s, Value> {
    let length = |text: Local<'s, Value>| text.try_cast::<v8::String>().map_or(0, |text| text.length());
    let mut longest = length(value);
    if let Ok(object) = value.try_cast::<v8::Object>() {
        for key in ["message", "name", "stack"] {
            let text = v8::String::new(scope, key).and_then(|key| object.get(scope, key.into()));
            longest = longest.max(text.map_or(0, length));
        }
    }
    if longest <= MAX_COPIED_MESSAGE {
        return value;
    }
    let message = format!("the script threw a text of {longest} characters, of at most {MAX_COPIED_MESSAGE}");
    v8::String::new(scope, &message).map_or(value, |message| v8::Exception::range_error(scope, message))
}

/// Error of a module that cannot be loaded, or of the event loop.
pub(super) fn from_core_error(error: CoreError, kind: ErrorKind, loader: &ScriptLoader) -> ExecutionError {
    match error.into_kind() {
        CoreErrorKind::Js(error) => js_error(&error, kind, Some(loader)),
        CoreErrorKind::PendingPromiseResolution => stalled_module(),
        // From the loader: a refused import, or a module with a syntax error.
        CoreErrorKind::JsBox(error) => {
            let (name, message) = (error.get_class(), error.get_message());
            let location = loader.error_location(&message);
            let frame = location.as_ref().map(|at| format!("\n    at {}:{}:{}", at.file, at.line, at.column));
            let stack_trace = Some(format!("{name}: {message}{}", frame.unwrap_or_default()));
            let code_frame = location.and_then(|location| loader.code_frame(location));
            ExecutionError { stack_trace, code_frame, ..ExecutionError::invalid_script(&name, message) }
        }
        other => ExecutionError::invalid_script("Error", other.to_string()),
    }
}

/// Longest error message, and longest name of an error, in bytes.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Longest stack trace including those of causes, in bytes.
const MAX_STACK_BYTES: usize = 256 * 1024;

/// The text, truncated to `limit` bytes.
fn truncate(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    format!("{}… ({} bytes in all)", &text[..text.floor_char_boundary(limit)], text.len())
}

fn js_error(error: &JsError, kind: ErrorKind, loader: Option<&ScriptLoader>) -> ExecutionError {
    let top_frame = top_frame(error);
    let code_frame = loader.and_then(|loader| code_frame(error, loader));
    let Some(name) = &error.name else {
        if error.exception_message.contains(STALLED_MODULE_MESSAGE) {
            return stalled_module();
        }
        // A value that is not an error: V8 describes it.
        let message = truncate(&error.exception_message, MAX_MESSAGE_BYTES);
        return ExecutionError { code_frame, ..ExecutionError::with_stack(kind, String::new(), message, None) };
    };
    let name = truncate(name, MAX_MESSAGE_BYTES);
    let mut message = truncate(error.message.as_deref().unwrap_or_default(), MAX_MESSAGE_BYTES);
    let mut stack = match &error.stack {
        Some(stack) => truncate(stack, MAX_STACK_BYTES),
        None => format!("{name}: {message}"),
    };
    let explained = match name.as_str() {
        "ReferenceError" => missing_globals::explain(&message),
        "TypeError" => {
            missing_globals::explain_property(&message, || loader?.surroundings(&location(error.frames.first()?)?))
        }
        _ => None,
    };
    if let Some(explained) = explained {
        // The stack starts with name and message.
        stack = stack.replacen(&message, &explained, 1);
        message = explained;
    }
    // The stack of a syntax error has no frames, but the error has a location.
    if !stack.contains("\n    at ") {
        stack.push_str(&top_frame.unwrap_or_default());
    }
    for inner in error.aggregated.iter().flatten() {
        if stack.len() > MAX_STACK_BYTES {
            stack.push_str("\n    …");
            break;
        }
        stack.push_str("\n    ");
        stack.push_str(&js_error(inner, kind, None).to_string().replace('\n', "\n    "));
    }
    if let Some(cause) = error.cause.as_ref().filter(|_| stack.len() <= MAX_STACK_BYTES) {
        stack.push_str("\nCaused by: ");
        stack.push_str(&js_error(cause, kind, None).to_string());
    }
    // Causes have stacks of their own.
    let stack = truncate(&stack, MAX_STACK_BYTES);
    ExecutionError { code_frame, ..ExecutionError::with_stack(kind, name, message, Some(stack)) }
}

/// Code frame of the first stack frame whose source is known.
fn code_frame(error: &JsError, loader: &ScriptLoader) -> Option<CodeFrame> {
    error.frames.iter().find_map(|frame| loader.code_frame(location(frame)?))
}

fn location(frame: &JsStackFrame) -> Option<SourceLocation> {
    let file = frame.file_name.clone()?;
    let line = usize::try_from(frame.line_number?).ok()?;
    let column = usize::try_from(frame.column_number?).ok()?;
    Some(SourceLocation { file, line, column })
}

/// First stack frame, as a line of a stack trace. None if it is of an extension: where no frame is left, V8 gives the place that
/// threw.
fn top_frame(error: &JsError) -> Option<String> {
    let frame = error.frames.first().filter(|frame| !is_of_extension(frame.file_name.as_deref()))?;
    Some(format!("\n    at {}:{}:{}", frame.file_name.as_ref()?, frame.line_number?, frame.column_number?))
}

fn is_of_extension(file: Option<&str>) -> bool {
    file.is_some_and(|name| name.starts_with("ext:"))
}

fn stalled_module() -> ExecutionError {
    ExecutionError::invalid_script(
        "Error",
        "the module's top-level await never settles: nothing is left to run that could settle it",
    )
}
