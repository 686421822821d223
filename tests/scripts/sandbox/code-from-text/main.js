// Every spelling of making code from text.
export default async () => {
  const AsyncFunction = (async () => {}).constructor;
  const GeneratorFunction = (function* () {}).constructor;
  const AsyncGeneratorFunction = (async function* () {}).constructor;
  const attempts = {
    eval: () => eval("1 + 1"),
    indirect: () => (0, eval)("1 + 1"),
    function: () => new Function("return 2")(),
    called: () => Function("return 2")(),
    constructor: () => (() => {}).constructor("return 2")(),
    bound: () => Reflect.construct(Function, ["return 2"])(),
    async: () => AsyncFunction("return 2")(),
    generator: () => GeneratorFunction("yield 2")().next().value,
    asyncGenerator: async () => (await AsyncGeneratorFunction("yield 2")().next()).value,
    realm: () => new ShadowRealm().evaluate("2"),
    object: () => eval({ toString: () => "2" }) === 2,
    module: () => import("data:text/javascript,export default 2"),
    blob: () => import(URL.createObjectURL(new Blob(["export default 2"], { type: "text/javascript" }))),
  };
  const told = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    try { told[name] = await attempt(); } catch (error) { told[name] = String(error).replace(/blob:[^"]*/, "blob:…"); }
  }
  return told;
};
