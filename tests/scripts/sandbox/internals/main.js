// Ways to the engine's own objects that once worked somewhere.
const names = ["Deno", "__bootstrap", "core", "internals", "primordials", "ops", "bootstrap", "process", "require", "d8", "print", "load",
  "read", "quit", "gc", "ShadowRealm", "Realm", "__proto__internals", "%GetOptimizationStatus"];
const symbols = ["Deno.customInspect", "Deno.privateCustomInspect", "Deno.internal", "nodejs.util.inspect.custom", "deno_core.ops"];

export default async () => {
  const found = names.filter((name) => name in globalThis);

  // A custom inspection is handed what the console works with.
  const handed = {};
  for (const name of symbols) {
    const object = { [Symbol.for(name)](...all) { handed[name] = all.map((value) => typeof value); return "inspected"; } };
    console.log(object);
  }

  // Functions of the runtime that are called without `this` would get their own global scope.
  const owners = [console.log, URL.prototype.toString, crypto.getRandomValues, ReadableStream.prototype.getReader]
    .map((method) => { try { return String(method.call(undefined)); } catch (error) { return error.name; } });

  // A callback's `this`, and who calls it.
  const seen = [];
  const target = new EventTarget();
  target.addEventListener("x", function () { seen.push(this === target); });
  target.dispatchEvent(new Event("x"));
  await new Promise((resolve) => setTimeout(function () { seen.push(this === undefined || this === globalThis); resolve(); }, 0));
  await new Promise((resolve) => queueMicrotask(function () { seen.push(this === undefined); resolve(); }));
  const callers = [];
  const get = { get then() { try { callers.push(String(arguments.callee)); } catch (error) { callers.push(error.name); } return undefined; } };
  await get;
  const poked = (function () { try { return typeof arguments.callee.caller; } catch (error) { return error.name; } })();

  // What is transferred has no way back to the sender's insides.
  const { port1, port2 } = new MessageChannel();
  const keys = (object) => [...Reflect.ownKeys(object)].map(String);
  const clone = (() => { try { structuredClone(port1); return "cloned"; } catch (error) { return error.name; } })();
  port1.close();
  const brands = [new URL("a:b"), new Headers(), new Event("x"), port2].flatMap(keys)
    .filter((key) => !key.startsWith("Symbol(")).sort();
  return { found, handed, owners, seen, callers, poked, clone, brands };
};
