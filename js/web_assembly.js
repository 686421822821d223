// WebAssembly.compileStreaming and instantiateStreaming. The engine's own abort the process.

import { primordials } from "ext:core/mod.js";
import { replaceFunction } from "ext:tailor_function/guards/lengths.js";
import { load } from "ext:tailor_function/lazy_scripts.js";

const { ObjectPrototypeIsPrototypeOf, ReflectApply, SafeArrayIterator, StringPrototypeToLowerCase, TypeError } =
  primordials;

const MIME_TYPE = "application/wasm";

/** Reads the response that a function got. Throws if it is no WebAssembly. */
const readModule = async (name, source) => {
  const response = await source;
  const { Response } = load("ext:deno_fetch/23_response.js");
  if (!ObjectPrototypeIsPrototypeOf(Response.prototype, response)) {
    throw new TypeError(`WebAssembly.${name}: the argument is not a Response, nor a promise for one`);
  }
  const type = response.headers.get("content-type");
  if (typeof type !== "string" || StringPrototypeToLowerCase(type) !== MIME_TYPE) {
    throw new TypeError(`WebAssembly.${name}: the content type of the response is ${type}, not ${MIME_TYPE}`);
  }
  if (!response.ok) {
    throw new TypeError(`WebAssembly.${name}: the status of the response is ${response.status}`);
  }
  return await response.arrayBuffer();
};

/** Called when an isolate is created: the engine defines the functions then. */
export const replaceStreaming = () => {
  const { WebAssembly } = globalThis;
  if (WebAssembly?.compileStreaming === undefined) {
    return; // Not available in this engine.
  }
  const { compile, instantiate } = WebAssembly;
  replaceFunction(WebAssembly, "compileStreaming", () => ({
    async compileStreaming(source, ...options) {
      const module = await readModule("compileStreaming", source);
      return await ReflectApply(compile, WebAssembly, [module, ...new SafeArrayIterator(options)]);
    },
  }.compileStreaming));
  replaceFunction(WebAssembly, "instantiateStreaming", () => ({
    async instantiateStreaming(source, ...options) {
      const module = await readModule("instantiateStreaming", source);
      return await ReflectApply(instantiate, WebAssembly, [module, ...new SafeArrayIterator(options)]);
    },
  }.instantiateStreaming));
};
