// Every global of a function script, and none of other runtimes'.
const there = `
  console URL URLSearchParams URLPattern DOMException Event EventTarget AbortController AbortSignal atob btoa
  TextEncoder TextDecoder TextEncoderStream TextDecoderStream Blob File FileReader MessageChannel MessagePort
  CompressionStream DecompressionStream ImageData structuredClone
  fetch Request Response Headers FormData EventSource MessageEvent
  ReadableStream ReadableStreamDefaultReader ReadableStreamBYOBReader ReadableStreamBYOBRequest
  ReadableStreamDefaultController ReadableByteStreamController
  WritableStream WritableStreamDefaultWriter WritableStreamDefaultController
  TransformStream TransformStreamDefaultController ByteLengthQueuingStrategy CountQueuingStrategy
  setTimeout setInterval clearTimeout clearInterval queueMicrotask
  crypto Crypto CryptoKey SubtleCrypto WebAssembly tailor self
`;
const notThere = `
  Deno process Buffer require global setImmediate clearImmediate __dirname __filename __bootstrap module exports
  window document navigator performance localStorage tailordb Bun alert
`;
const words = (text) => text.split(/\s+/).filter(Boolean);

export default () => ({
  missing: words(there).filter((name) => globalThis[name] === undefined),
  tooMuch: words(notThere).filter((name) => name in globalThis),
  enumerable: Object.keys(globalThis),
  self: self === globalThis,
});
