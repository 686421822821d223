// What `Error.prepareStackTrace` is handed shows no function and no object of the runtime.
const look = () => {
  const seen = { calls: 0, things: new Set(), files: new Set() };
  Error.prepareStackTrace = (error, sites) => {
    seen.calls += 1;
    for (const site of sites) {
      for (const what of ["getThis", "getFunction", "getEvalOrigin"]) {
        let value;
        try { value = site[what]?.(); } catch (error) { value = error; }
        if (value !== undefined && value !== globalThis) seen.things.add(`${what}: ${typeof value}`);
      }
      seen.files.add(String(site.getFileName?.()).replace(/^file:.*\//, ""));
    }
    return "";
  };
  return seen;
};

export default async () => {
  const seen = look();
  const probe = () => { void new Error("probe").stack; };
  // From below functions of the runtime.
  console.log({ get a() { probe(); return 1; }, [Symbol.for("nodejs.util.inspect.custom")]() { probe(); return "x"; } });
  new URL({ toString() { probe(); return "a:b"; } });
  new EventTarget().dispatchEvent.call(Object.assign(new EventTarget(), {}), new Event("x", { get bubbles() { probe(); return false; } }));
  await new Promise((resolve) => setTimeout(() => { probe(); resolve(); }, 0));
  await new ReadableStream({ pull(controller) { probe(); controller.close(); } }).getReader().read();
  await fetch({ toString() { probe(); return "https://example.com/"; } }).catch((error) => void error.stack);
  try { structuredClone({ get a() { probe(); return () => {}; } }); } catch (error) { void error.stack; }
  delete Error.prepareStackTrace;
  return { called: seen.calls > 0, things: [...seen.things].sort(), runtimeFiles: [...seen.files].filter((file) => file.startsWith("ext:")).length };
};
