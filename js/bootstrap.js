// What a function script finds in its global scope, beside ECMAScript's own and `tailor`. What every script has need of is in the
// startup snapshot, so it may not depend on the time, the environment or chance. The rest is loaded when it is first asked for.

import { core, internals, primordials } from "ext:core/mod.js";
import { op_function_console } from "ext:core/ops";
import { checkedClone } from "ext:tailor_function/clones.js";
import { measured } from "ext:tailor_console/console.js";
import { guardImageData } from "ext:tailor_function/guards/buffers.js";
import { replaceFunction } from "ext:tailor_function/guards/lengths.js";
import "ext:tailor_function/guards/lists.js";
import "ext:tailor_function/guards/texts.js";
import { addTo, change, define, load, loadFormatter, loadOnDemand } from "ext:tailor_function/scripts.js";

const { ObjectDefineProperties, SafeArrayIterator } = primordials;

// Ahead of what they change.
load("ext:tailor_function/texts.js");
load("ext:tailor_function/timers.js");

const { Console, setNoColorFns } = loadFormatter("ext:deno_web/01_console.js");
// Log lines go to the host's log, not to a terminal.
setNoColorFns(() => true, () => true);

// An exception in an event listener ends the script: there is no `error` event on the global scope to handle it.
change("ext:deno_web/02_event.js", ({ saveGlobalThisReference }) => {
  saveGlobalThisReference({ __proto__: null, dispatchEvent: () => true });
});
change("ext:deno_web/13_message_port.js", (script) => {
  replaceFunction(script, "structuredClone", checkedClone);
  replaceFunction(script.MessagePort.prototype, "postMessage", checkedClone);
});
change("ext:deno_web/16_image_data.js", (script) => {
  script.ImageData = guardImageData(script.ImageData);
});
change("ext:deno_crypto/00_crypto.js", (script) => {
  load("ext:tailor_function/crypto.js").boundCrypto(script);
});

// deno_fetch's code asks at each call whether it is traced.
internals.__telemetry = { __proto__: null, TRACING_ENABLED: false, exitSpan: () => {} };
internals.__telemetryUtil = { __proto__: null };

// The names under which Rust throws what the web calls a DOMException.
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
  console: core.propNonEnumerable(measured(new Console((text, level) => op_function_console(text, level)))),
  queueMicrotask: core.propNonEnumerable(globalThis.queueMicrotask),
  crypto: {
    __proto__: null,
    get: () => load("ext:deno_crypto/00_crypto.js").crypto,
    enumerable: false,
    configurable: true,
  },
});

// What handlers use most, and most of the others need: in the snapshot. To load it later costs a script a millisecond or two, while
// making an isolate, which is done ahead, takes a few tenths of one longer.
load("ext:deno_web/02_timers.js");
load("ext:deno_web/03_abort_signal.js");
load("ext:deno_web/08_text_encoding.js");
load("ext:deno_web/09_file.js");

loadOnDemand();

// URL.createObjectURL is with the blobs.
addTo("URL", "ext:deno_web/09_file.js");
define("ext:deno_web/00_url.js", ["URL", "URLSearchParams"]);
define("ext:deno_web/01_urlpattern.js", ["URLPattern"]);

define("ext:deno_web/01_dom_exception.js", ["DOMException"]);
// The code of EventSource looks for MessageEvent here.
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
