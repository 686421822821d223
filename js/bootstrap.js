// Defines the global scope of function scripts, beside the builtins of ECMAScript and `tailor`. Frequently used APIs are part of the
// startup snapshot, so they must not depend on the time, the environment or random numbers. The others are loaded on first use.

import { core, internals, primordials } from "ext:core/mod.js";
import { op_function_console } from "ext:core/ops";
import { limitClone } from "ext:tailor_function/clones.js";
import { limitConsole } from "ext:tailor_console/console.js";
import { guardImageData } from "ext:tailor_function/guards/buffers.js";
import { replaceFunction } from "ext:tailor_function/guards/lengths.js";
import "ext:tailor_function/guards/accessors.js";
import "ext:tailor_function/guards/arrays.js";
import "ext:tailor_function/guards/strings.js";
import { define, defineAfter, load, loadFormatter, loadOnDemand, patch } from "ext:tailor_function/lazy_scripts.js";
import { withOriginalPrototypes } from "ext:tailor_function/prototypes.js";

const { ObjectDefineProperties, SafeArrayIterator } = primordials;

// Before the scripts that use the ops which these wrap.
load("ext:tailor_function/string_ops.js");
load("ext:tailor_function/timers.js");

const { Console, setNoColorFns } = loadFormatter("ext:deno_web/01_console.js");
// Log lines go to the host's log, where colors are of no use.
setNoColorFns(() => true, () => true);

// An exception in an event listener terminates the script, because the global scope has no `error` event.
patch("ext:deno_web/02_event.js", ({ saveGlobalThisReference }) => {
  saveGlobalThisReference({ __proto__: null, dispatchEvent: () => true });
});
patch("ext:deno_web/13_message_port.js", (script) => {
  replaceFunction(script, "structuredClone", limitClone);
  replaceFunction(script.MessagePort.prototype, "postMessage", limitClone);
});
patch("ext:deno_web/16_image_data.js", (script) => {
  script.ImageData = guardImageData(script.ImageData);
});
patch("ext:deno_crypto/00_crypto.js", (script) => {
  load("ext:tailor_function/crypto.js").limitCrypto(script, withOriginalPrototypes);
});

patch("ext:deno_fetch/22_body.js", ({ InnerBody }) => {
  load("ext:tailor_function/fetch_bodies.js").limitBodies(InnerBody);
});

// deno_fetch checks at each call whether tracing is enabled.
internals.__telemetry = { __proto__: null, TRACING_ENABLED: false, exitSpan: () => {} };
internals.__telemetryUtil = { __proto__: null };

// The names of the DOMExceptions that Rust throws.
for (
  const name of new SafeArrayIterator([
    "DataError",
    "IndexSizeError",
    "InvalidAccessError",
    "InvalidCharacterError",
    "InvalidStateError",
    "NotSupportedError",
    "OperationError",
    "QuotaExceededError",
    "SyntaxError",
    "TimeoutError",
    "TypeMismatchError",
  ])
) {
  core.registerErrorBuilder(`DOMException${name}`, (message) => {
    const { DOMException } = load("ext:deno_web/01_dom_exception.js");
    return new DOMException(message, name);
  });
}

ObjectDefineProperties(globalThis, {
  console: core.propNonEnumerable(limitConsole(new Console((text, level) => op_function_console(text, level)))),
  queueMicrotask: core.propNonEnumerable(globalThis.queueMicrotask),
  // Libraries look for it.
  self: core.propNonEnumerable(globalThis),
  crypto: {
    __proto__: null,
    get: () => load("ext:deno_crypto/00_crypto.js").crypto,
    enumerable: false,
    configurable: true,
  },
});

// Part of the snapshot: the APIs that most handlers use, and that most of the other APIs depend on. Loading them on first use takes
// 1 to 2 ms in the script, while having them in the snapshot adds a few tenths of a millisecond to the creation of an isolate, which
// happens ahead of time.
load("ext:deno_web/02_timers.js");
load("ext:deno_web/03_abort_signal.js");
load("ext:deno_web/08_text_encoding.js");
load("ext:deno_web/09_file.js");

loadOnDemand();

// The blob script adds URL.createObjectURL.
defineAfter("URL", "ext:deno_web/09_file.js");
define("ext:deno_web/00_url.js", ["URL", "URLSearchParams"]);
define("ext:deno_web/01_urlpattern.js", ["URLPattern"]);

define("ext:deno_web/01_dom_exception.js", ["DOMException"]);
// EventSource looks up MessageEvent in the global scope.
define("ext:deno_web/02_event.js", ["Event", "EventTarget", "MessageEvent"]);
define("ext:deno_web/02_timers.js", ["clearInterval", "clearTimeout", "setInterval", "setTimeout"]);
define("ext:deno_web/03_abort_signal.js", ["AbortController", "AbortSignal"]);
define("ext:deno_web/13_message_port.js", ["MessageChannel", "MessagePort", "structuredClone"]);

define("ext:deno_web/05_base64.js", ["atob", "btoa"]);
define("ext:deno_web/08_text_encoding.js", [
  "TextDecoder",
  "TextDecoderStream",
  "TextEncoder",
  "TextEncoderStream",
]);

define("ext:deno_web/09_file.js", ["Blob", "File"]);
define("ext:deno_web/10_filereader.js", ["FileReader"]);
define("ext:deno_web/16_image_data.js", ["ImageData"]);

define("ext:deno_fetch/20_headers.js", ["Headers"]);
define("ext:deno_fetch/21_formdata.js", ["FormData"]);
define("ext:deno_fetch/23_request.js", ["Request"]);
define("ext:deno_fetch/23_response.js", ["Response"]);
define("ext:deno_fetch/26_fetch.js", ["fetch"]);
define("ext:deno_fetch/27_eventsource.js", ["EventSource"]);

define("ext:deno_web/06_streams.js", [
  "ByteLengthQueuingStrategy",
  "CountQueuingStrategy",
  "ReadableByteStreamController",
  "ReadableStream",
  "ReadableStreamBYOBReader",
  "ReadableStreamBYOBRequest",
  "ReadableStreamDefaultController",
  "ReadableStreamDefaultReader",
  "TransformStream",
  "TransformStreamDefaultController",
  "WritableStream",
  "WritableStreamDefaultController",
  "WritableStreamDefaultWriter",
]);
define("ext:deno_web/14_compression.js", ["CompressionStream", "DecompressionStream"]);

define("ext:deno_crypto/00_crypto.js", ["Crypto", "CryptoKey", "SubtleCrypto"]);
