// The scripts of the web APIs. While the snapshot is made the engine loads them; once it has started, those that are in no snapshot
// are loaded when they are first asked for, in a global scope that a script may have changed by then.
//
// A script that fails while it loads, for want of stack for instance, is as if it had never been asked for: nobody has seen
// anything of it, and the next one to ask begins anew.

import { core, internals, primordials } from "ext:core/mod.js";
import { op_function_define_lazy, op_function_compile_script, op_function_cache_script } from "ext:core/ops";
import { undisturbed } from "ext:tailor_function/originals.js";

const { ObjectDefineProperties, ObjectSetPrototypeOf, SafeArrayIterator } = primordials;

// What the scripts are given, as `__bootstrap`.
const view = core.loadExtScript("ext:tailor_console/view.js");

const loaded = { __proto__: null };
const changes = { __proto__: null };
let run = core.loadExtScript;

const begin = (specifier) => {
  const script = run(specifier);
  changes[specifier]?.(script);
  // Last of all: whoever has the script has it as it is to be.
  loaded[specifier] = script;
  return script;
};

/** What a script exports. */
export const load = (specifier) => {
  if (specifier in loaded) {
    return loaded[specifier];
  }
  const wasLoading = isLoading;
  isLoading = true;
  try {
    return undisturbed(() => begin(specifier));
  } finally {
    isLoading = wasLoading;
  }
};

// For the scripts themselves: they load others while they are loaded, and some when they are called.
let isLoading = false;
view.core.loadExtScript = (specifier) => isLoading && !(specifier in loaded) ? begin(specifier) : load(specifier);

/** Has `change` change what a script exports before anybody has it. */
export const change = (specifier, change) => {
  changes[specifier] = change;
};

/** From here on scripts are loaded when they are asked for. */
export const loadOnDemand = () => {
  run = (specifier) => {
    const main = op_function_compile_script(specifier);
    const script = main(view);
    op_function_cache_script(specifier, main);
    return script;
  };
};

// Where each global property comes from.
const origins = { __proto__: null };
const additions = { __proto__: null };
const lazyGlobal = (name) => {
  const script = load(origins[name]);
  if (name in additions) {
    load(additions[name]);
  }
  return script[name];
};
// Taken away by the host as it makes an isolate, before there is a script, and called when a property is first asked for.
ObjectDefineProperties(globalThis, { lazyGlobal: core.propNonEnumerable(lazyGlobal) });

/** Defines global properties that are a script's exports, loaded when one of them is first asked for, if it is not loaded yet. */
export const define = (specifier, names) => {
  for (const name of new SafeArrayIterator(names)) {
    origins[name] = specifier;
    if (specifier in loaded || !op_function_define_lazy(name)) {
      ObjectDefineProperties(globalThis, { [name]: core.propNonEnumerable(lazyGlobal(name)) });
    }
  }
};

/** Says that a global property is not complete without a script that adds something to it. */
export const addTo = (name, specifier) => {
  additions[name] = specifier;
};

/** What the formatter of `console` exports. It looks for the class of URLs, to know one: without the class there is no URL. */
export const loadFormatter = (specifier) => {
  const { core: shared } = view;
  const loadExtScript = (specifier) => loaded[specifier] ?? NOTHING;
  view.core = { __proto__: null, ...shared, loadExtScript };
  const script = load(specifier);
  view.core = shared;
  return script;
};
const NOTHING = { __proto__: null };

// What scripts look up by name, or assign to: no accessor of that name on Object.prototype is to see it.
ObjectSetPrototypeOf(internals, null);
const transferable = { __proto__: null };
view.core.getTransferableResource = (name) => transferable[name];
view.core.registerTransferableResource = (name, send, receive) => {
  transferable[name] = { __proto__: null, send, receive };
};
// The engine's refuses what it has already, from a script that is loaded anew.
const cloneable = core.getCloneableDeserializers();
view.core.registerCloneableResource = (name, deserialize) => {
  cloneable[name] = deserialize;
};
// A list by its making, though what is kept in it goes by name.
change("ext:deno_webidl/00_webidl.js", ({ converters }) => {
  ObjectSetPrototypeOf(converters, null);
});
