// Loads the scripts of the web APIs. Some are loaded by deno_core into the snapshot. The others are loaded on first use, in a global
// scope that a function script may have changed by then.
//
// If loading fails, for example because the stack overflows, nothing of the script becomes visible, and the next use loads it again.

import { core, internals, primordials } from "ext:core/mod.js";
import { op_function_define_lazy, op_function_compile_script, op_function_cache_script } from "ext:core/ops";
import { defineInspectors } from "ext:tailor_console/console.js";
import { isQuickJs } from "ext:tailor_function/engine.js";
import { withOriginalPrototypes } from "ext:tailor_function/prototypes.js";

const { ObjectDefineProperties, ObjectSetPrototypeOf, SafeArrayIterator } = primordials;

// The `__bootstrap` object that the scripts get.
const view = core.loadExtScript("ext:tailor_console/view.js");

const loaded = { __proto__: null };
const patches = { __proto__: null };
let run = core.loadExtScript;

const loadNow = (specifier) => {
  const script = run(specifier);
  // QuickJS no longer finds the native objects of a class whose prototype changes.
  if (script !== undefined && !isQuickJs) {
    defineInspectors(script);
  }
  patches[specifier]?.(script);
  // Last, so that a script is visible only after it is patched.
  loaded[specifier] = script;
  return script;
};

/** Returns the exports of a script, and loads it if necessary. */
export const load = (specifier) => {
  if (specifier in loaded) {
    return loaded[specifier];
  }
  const wasLoading = isLoading;
  isLoading = true;
  try {
    return withOriginalPrototypes(() => loadNow(specifier));
  } finally {
    isLoading = wasLoading;
  }
};

// Scripts load their dependencies while they are loaded, and some also when they are called.
let isLoading = false;
view.core.loadExtScript = (specifier) => isLoading && !(specifier in loaded) ? loadNow(specifier) : load(specifier);

/** Registers a function that changes the exports of a script when it is loaded. */
export const patch = (specifier, patch) => {
  patches[specifier] = patch;
};

/** From now on, scripts are compiled by our own op instead of deno_core's loader. */
export const loadOnDemand = () => {
  run = (specifier) => {
    const main = op_function_compile_script(specifier);
    const script = main(view);
    op_function_cache_script(specifier, main);
    return script;
  };
};

// The script of each lazy global property, and the script that must be loaded with it.
const origins = { __proto__: null };
const companions = { __proto__: null };
const lazyGlobal = (name) => {
  const script = load(origins[name]);
  if (name in companions) {
    load(companions[name]);
  }
  return script[name];
};
// Taken from the global scope by the host when it creates an isolate, and called when a lazy property is first read.
ObjectDefineProperties(globalThis, { lazyGlobal: core.propNonEnumerable(lazyGlobal) });

/** Defines global properties with the exports of a script. If it is not in the snapshot, the first read of one of them loads it. */
export const define = (specifier, names) => {
  for (const name of new SafeArrayIterator(names)) {
    origins[name] = specifier;
    if (specifier in loaded || !op_function_define_lazy(name)) {
      ObjectDefineProperties(globalThis, { [name]: core.propNonEnumerable(lazyGlobal(name)) });
    }
  }
};

/** Loads another script together with a lazy global property, because that script extends its value. */
export const defineAfter = (name, specifier) => {
  companions[name] = specifier;
};

/**
 * Loads the formatter of `console`. It looks up the scripts of other classes to recognize their instances: scripts that are not loaded
 * have no instances, so an empty object takes their place.
 */
export const loadFormatter = (specifier) => {
  const { core: shared } = view;
  const loadExtScript = (specifier) => loaded[specifier] ?? NO_EXPORTS;
  view.core = { __proto__: null, ...shared, loadExtScript };
  const script = load(specifier);
  view.core = shared;
  return script;
};
const NO_EXPORTS = { __proto__: null };

// Tables in which scripts look up and assign names: without a prototype, so that accessors on Object.prototype do not see the names.
ObjectSetPrototypeOf(internals, null);
const transferable = { __proto__: null };
view.core.getTransferableResource = (name) => transferable[name];
view.core.registerTransferableResource = (name, send, receive) => {
  transferable[name] = { __proto__: null, send, receive };
};
// deno_core's own function throws if the name is registered, which it is when a script is loaded again.
const cloneable = core.getCloneableDeserializers();
view.core.registerCloneableResource = (name, deserialize) => {
  cloneable[name] = deserialize;
};
// An array, but used as a table by name.
patch("ext:deno_webidl/00_webidl.js", ({ converters }) => {
  ObjectSetPrototypeOf(converters, null);
});
