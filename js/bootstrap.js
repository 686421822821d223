// What a function script finds in its global scope, beside ECMAScript's own and `tailor`. Everything here is in the
// startup snapshot, so nothing may depend on the time, the environment or chance.

import { core, internals, primordials } from "ext:core/mod.js";
import { op_function_console } from "ext:core/ops";
import { checkedClone } from "ext:tailor_function/clones.js";
import { measured } from "ext:tailor_console/console.js";
import { guardImageData } from "ext:tailor_function/guards/buffers.js";
import { guard } from "ext:tailor_function/guards/lengths.js";
import "ext:tailor_function/guards/lists.js";
import "ext:tailor_function/guards/texts.js";

const { ObjectDefineProperties, SafeArrayIterator } = primordials;
const load = (script) => core.loadExtScript(`ext:${script}`);

// Ahead of what they change.
load("tailor_function/texts.js");
load("tailor_function/timers.js");

const console_ = load("deno_web/01_console.js");
const { DOMException } = load("deno_web/01_dom_exception.js");
const { Event, EventTarget, MessageEvent, saveGlobalThisReference } = load("deno_web/02_event.js");
const timers = load("deno_web/02_timers.js");
const { AbortController, AbortSignal } = load("deno_web/03_abort_signal.js");
const { atob, btoa } = load("deno_web/05_base64.js");
const streams = load("deno_web/06_streams.js");
const encoding = load("deno_web/08_text_encoding.js");
const { URL, URLSearchParams } = load("deno_web/00_url.js");
const { URLPattern } = load("deno_web/01_urlpattern.js");
const { Blob, File } = load("deno_web/09_file.js");
const { FileReader } = load("deno_web/10_filereader.js");
const { MessageChannel, MessagePort, structuredClone } = load("deno_web/13_message_port.js");
const { CompressionStream, DecompressionStream } = load("deno_web/14_compression.js");
const { ImageData } = load("deno_web/16_image_data.js");
const crypto_ = load("deno_crypto/00_crypto.js");
load("tailor_function/crypto.js");

// deno_fetch's code asks at each call whether it is traced.
internals.__telemetry = { __proto__: null, TRACING_ENABLED: false, exitSpan: () => {} };
internals.__telemetryUtil = { __proto__: null };
const { Headers } = load("deno_fetch/20_headers.js");
const { FormData } = load("deno_fetch/21_formdata.js");
const { Request } = load("deno_fetch/23_request.js");
const { Response } = load("deno_fetch/23_response.js");
const { fetch } = load("deno_fetch/26_fetch.js");
const { EventSource } = load("deno_fetch/27_eventsource.js");

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
  core.registerErrorBuilder(`DOMException${name}`, (message) => new DOMException(message, name));
}

// Log lines go to the host's log, not to a terminal.
console_.setNoColorFns(() => true, () => true);

// An exception in an event listener ends the script: there is no `error` event on the global scope to handle it.
saveGlobalThisReference({ __proto__: null, dispatchEvent: () => true });

const value = core.propNonEnumerable;

ObjectDefineProperties(globalThis, {
  console: value(measured(new console_.Console((text, level) => op_function_console(text, level)))),

  URL: value(URL),
  URLPattern: value(URLPattern),
  URLSearchParams: value(URLSearchParams),

  DOMException: value(DOMException),
  Event: value(Event),
  EventTarget: value(EventTarget),
  AbortController: value(AbortController),
  AbortSignal: value(AbortSignal),
  MessageChannel: value(MessageChannel),
  // The code of EventSource looks for it here.
  MessageEvent: value(MessageEvent),
  MessagePort: value(MessagePort),
  structuredClone: value(structuredClone),

  atob: value(atob),
  btoa: value(btoa),
  TextDecoder: value(encoding.TextDecoder),
  TextDecoderStream: value(encoding.TextDecoderStream),
  TextEncoder: value(encoding.TextEncoder),
  TextEncoderStream: value(encoding.TextEncoderStream),

  Blob: value(Blob),
  File: value(File),
  FileReader: value(FileReader),
  ImageData: value(guardImageData(ImageData)),

  EventSource: value(EventSource),
  FormData: value(FormData),
  Headers: value(Headers),
  Request: value(Request),
  Response: value(Response),
  fetch: value(fetch),

  ByteLengthQueuingStrategy: value(streams.ByteLengthQueuingStrategy),
  CountQueuingStrategy: value(streams.CountQueuingStrategy),
  ReadableByteStreamController: value(streams.ReadableByteStreamController),
  ReadableStream: value(streams.ReadableStream),
  ReadableStreamBYOBReader: value(streams.ReadableStreamBYOBReader),
  ReadableStreamBYOBRequest: value(streams.ReadableStreamBYOBRequest),
  ReadableStreamDefaultController: value(streams.ReadableStreamDefaultController),
  ReadableStreamDefaultReader: value(streams.ReadableStreamDefaultReader),
  TransformStream: value(streams.TransformStream),
  TransformStreamDefaultController: value(streams.TransformStreamDefaultController),
  WritableStream: value(streams.WritableStream),
  WritableStreamDefaultController: value(streams.WritableStreamDefaultController),
  WritableStreamDefaultWriter: value(streams.WritableStreamDefaultWriter),
  CompressionStream: value(CompressionStream),
  DecompressionStream: value(DecompressionStream),

  clearInterval: value(timers.clearInterval),
  clearTimeout: value(timers.clearTimeout),
  queueMicrotask: value(globalThis.queueMicrotask),
  setInterval: value(timers.setInterval),
  setTimeout: value(timers.setTimeout),

  Crypto: value(crypto_.Crypto),
  CryptoKey: value(crypto_.CryptoKey),
  SubtleCrypto: value(crypto_.SubtleCrypto),
  // Made on first use: it is no thing that a snapshot can hold.
  crypto: {
    __proto__: null,
    get: () => crypto_.crypto,
    enumerable: false,
    configurable: true,
  },
});

guard(globalThis, "structuredClone", checkedClone);
guard(MessagePort.prototype, "postMessage", checkedClone);
