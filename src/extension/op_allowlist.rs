//! Allowlist of the ops in a script's isolate. All other ops throw, so that an upgrade of deno_core or of a web extension
//! cannot add one unnoticed.
//!
//! Defence in depth: scripts cannot reach any op.

use deno_core::{Extension, OpDecl, op2};
use deno_error::JsErrorBox;

use super::{blobs, compression, message_ports, structured_clone};

/// Ops of deno_core and of the web extensions that the global scope needs. Sorted.
const ALLOWED_OPS: &[&str] = &[
    "op_base64_atob",
    "op_base64_btoa",
    "op_base64_decode",
    "op_base64_decode_into",
    "op_base64_encode_from_buffer",
    "op_base64url_decode",
    "op_base64url_decode_into",
    "op_base64url_encode_from_buffer",
    "op_blob_clone_part",
    "op_blob_create_object_url",
    "op_blob_create_part",
    "op_blob_from_object_url",
    "op_blob_read_part",
    "op_blob_remove_part",
    "op_blob_revoke_object_url",
    "op_blob_slice_part",
    "op_cancel_handle",
    "op_cancel_read",
    "op_close",
    "op_compression_finish",
    "op_compression_new",
    "op_compression_write",
    "op_console_css_to_ansi",
    "op_console_format_value",
    "op_console_get_string_width",
    "op_console_inspect",
    "op_console_inspect_args",
    "op_console_parse_css",
    "op_console_parse_css_color",
    "op_console_quote_string",
    "op_console_strip_vt",
    "op_crypto_is_seeded",
    "op_crypto_random_uuid_batch",
    "op_decode",
    "op_defer",
    "op_deserialize",
    "op_destructure_error",
    "op_dispatch_exception",
    "op_drain_pending_rejections",
    "op_encode",
    "op_encode_binary_string",
    "op_encoding_decode",
    "op_encoding_decode_single",
    "op_encoding_decode_utf8",
    "op_encoding_decode_utf8_ascii_only",
    "op_encoding_encode_into",
    "op_encoding_encode_into_fallback",
    "op_encoding_new_decoder",
    "op_encoding_normalize_label",
    "op_fetch",
    "op_fetch_send",
    "op_fetch_stream_body",
    "op_get_constructor_name",
    "op_get_ext_import_meta_proto",
    "op_get_extras_binding_object",
    "op_get_non_index_property_names",
    "op_get_promise_details",
    "op_get_proxy_details",
    "op_immediate_check",
    "op_is_any_array_buffer",
    "op_is_arguments_object",
    "op_is_array_buffer",
    "op_is_array_buffer_view",
    "op_is_async_function",
    "op_is_big_int_object",
    "op_is_boolean_object",
    "op_is_boxed_primitive",
    "op_is_data_view",
    "op_is_date",
    "op_is_generator_function",
    "op_is_generator_object",
    "op_is_map",
    "op_is_map_iterator",
    "op_is_module_namespace_object",
    "op_is_native_error",
    "op_is_number_object",
    "op_is_promise",
    "op_is_proxy",
    "op_is_reg_exp",
    "op_is_set",
    "op_is_set_iterator",
    "op_is_shared_array_buffer",
    "op_is_string_object",
    "op_is_symbol_object",
    "op_is_typed_array",
    "op_is_weak_map",
    "op_is_weak_set",
    "op_load_ext_script",
    "op_message_port_create_entangled",
    "op_message_port_post_message",
    "op_message_port_post_message_raw",
    "op_message_port_recv_message",
    "op_now",
    "op_pipe",
    "op_preview_entries",
    "op_read",
    "op_read_all",
    "op_readable_stream_resource_allocate",
    "op_readable_stream_resource_allocate_sized",
    "op_readable_stream_resource_await_close",
    "op_readable_stream_resource_close",
    "op_readable_stream_resource_get_sink",
    "op_readable_stream_resource_write_buf",
    "op_readable_stream_resource_write_error",
    "op_readable_stream_resource_write_sync",
    "op_ref_op",
    "op_run_microtasks",
    "op_serialize",
    "op_set_captured_bootstrap",
    "op_set_handled_promise_rejection_handler",
    "op_shutdown",
    "op_str_byte_length",
    "op_structured_clone",
    "op_time_origin",
    "op_timer_now",
    "op_timer_schedule",
    "op_timer_track",
    "op_timer_untrack",
    "op_try_close",
    "op_unref_op",
    "op_url_get_serialization",
    "op_url_parse",
    "op_url_parse_search_params",
    "op_url_parse_with_base",
    "op_url_reparse",
    "op_url_stringify_search_params",
    "op_urlpattern_parse",
    "op_urlpattern_process_match_input",
    "op_utf8_to_byte_string",
];

/// Prefixes of the ops of this crate, all of which are allowed.
const OWN_PREFIXES: [&str; 3] = ["op_idp_", "op_context_", "op_function_"];

fn is_allowed(name: &str) -> bool {
    OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || ALLOWED_OPS.binary_search(&name).is_ok()
}

/// Classes of the web extensions, implemented in Rust, that the global scope has or needs.
const ALLOWED_CLASSES: &[&str] = &["Console", "Crypto", "CryptoKey", "ImageData", "SubtleCrypto"];

/// Removes the ops and classes that are not allowed from an extension. Each op costs every isolate time and memory.
pub(super) fn without_denied(mut extension: Extension) -> Extension {
    extension.ops.to_mut().retain(|op| is_allowed(op.name));
    extension.objects.to_mut().retain(|class| ALLOWED_CLASSES.contains(&class.name.0));
    extension
}

/// Replaces an op that is not allowed with one that throws, and ops without limits with those of this crate.
///
/// The ops of deno_core cannot be removed. [`OpDecl::disable`] would turn fast ops into silent no-ops.
pub(super) fn enforce(op: OpDecl) -> OpDecl {
    let replacement = match op.name {
        name if !is_allowed(name) => op_function_denied(),
        "op_blob_create_part" => blobs::op_blob_create_part(),
        "op_compression_finish" => compression::op_compression_finish(),
        "op_compression_new" => compression::op_compression_new(),
        "op_compression_write" => compression::op_compression_write(),
        "op_deserialize" => structured_clone::op_deserialize(),
        "op_message_port_create_entangled" => message_ports::op_message_port_create_entangled(),
        "op_message_port_post_message" => message_ports::op_message_port_post_message(),
        "op_message_port_post_message_raw" => message_ports::op_message_port_post_message_raw(),
        "op_message_port_recv_message" => message_ports::op_message_port_recv_message(),
        "op_serialize" => structured_clone::op_serialize(),
        "op_structured_clone" => structured_clone::op_structured_clone(),
        _ => return op,
    };
    op.with_implementation_from(&replacement)
}

#[op2(nofast)]
fn op_function_denied() -> Result<(), JsErrorBox> {
    Err(JsErrorBox::not_supported())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use deno_core::{JsRuntime, RuntimeOptions};
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::extension::function_extensions;

    const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ops.txt");

    /// A runtime from the snapshot that still has `Deno.core`, unlike the isolates of scripts.
    fn runtime() -> JsRuntime {
        JsRuntime::new(RuntimeOptions {
            extensions: function_extensions(),
            startup_snapshot: Some(include_bytes!(concat!(env!("OUT_DIR"), "/function.snapshot"))),
            ..RuntimeOptions::default()
        })
    }

    /// One test with both checks, because a thread can have one isolate only.
    #[test]
    fn ops_match_the_reviewed_list_and_denied_ops_throw() {
        crate::function::run_on_isolate_thread(check_ops);
    }

    fn check_ops() {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _context = tokio.enter();
        let mut runtime = runtime();
        let mut names = runtime.op_names();
        names.sort_unstable();
        let list = names.iter().fold(String::new(), |mut list, name| {
            let status = match name.starts_with("op_") {
                true if is_allowed(name) => "allowed",
                true => "denied",
                // A class implemented in Rust: `middleware` does not see these. Its methods are on its prototype only.
                false => "class",
            };
            let _ = writeln!(list, "{status:7} {name}");
            list
        });
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(LIST, &list).unwrap();
        }
        assert_eq!(std::fs::read_to_string(LIST).unwrap(), list);
        assert_eq!(ALLOWED_OPS.iter().filter(|op| !names.contains(op)).collect::<Vec<_>>(), Vec::<&&str>::new());
        assert!(ALLOWED_OPS.is_sorted());

        // Enough iterations for V8 to optimise the call and to use a fast op if there is one.
        let attempts = "
            for (const [name, ...args] of [['op_panic', 'x'], ['op_print', 'x', false], ['op_eval_context', '1', 'a', []], ['op_void_sync'], ['op_add', 1, 2]]) {
                const call = () => { try { Deno.core.ops[name](...args); } catch { return; } throw new Error(`${name} is allowed`); };
                for (let i = 0; i < 20_000; i += 1) call();
            }";
        runtime.execute_script("attempts.js", attempts).unwrap();
    }
}
