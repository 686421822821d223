// What is loaded when it is first touched is a property like others, whoever touches it, and how.
import { inModule } from "./part.js";

const describe = (name) => {
  const { value, writable, enumerable, configurable, get, set } = Object.getOwnPropertyDescriptor(globalThis, name);
  return [typeof value, writable, enumerable, configurable, get, set].join();
};

export default async () => {
  const looked = {
    in: "URLPattern" in globalThis,
    own: Object.hasOwn(globalThis, "URLPattern"),
    typeof: typeof URLPattern,
    inherited: typeof Object.create(globalThis).CompressionStream,
    descriptor: describe("Headers"),
    descriptorAfterwards: describe("Headers"),
    same: globalThis.Headers === Headers && new Headers() instanceof Headers,
    keys: Object.keys(globalThis).length,
  };

  // As tests mock it.
  globalThis.fetch = async (url) => new Response(`mock of ${url}`);
  const mocked = { text: await (await fetch("https://a.example/")).text(), descriptor: describe("fetch") };
  Object.defineProperty(globalThis, "EventSource", { value: 1 });
  mocked.defined = describe("EventSource");
  const heir = Object.create(globalThis);
  heir.FormData = 2;
  mocked.heir = [typeof heir.FormData, typeof FormData, Object.hasOwn(heir, "FormData")].join();

  const deleted = [delete globalThis.ImageData, "ImageData" in globalThis, typeof ImageData, Reflect.ownKeys(globalThis).includes("ImageData")];

  // A class by two ways is one.
  const { body } = new Response("text");
  const oneClass = [body instanceof ReadableStream, new AbortController().signal instanceof EventTarget];
  // Rust's own errors are of it as well.
  const refused = (() => { try { atob("!"); } catch (error) { return [error.name, error instanceof DOMException]; } })();

  const inTimer = await new Promise((resolve) => setTimeout(() => resolve(new TextDecoder().decode(new Uint8Array([97]))), 1));
  return {
    looked, mocked, deleted, oneClass, refused, inTimer, inModule: inModule(),
    // While the host reads the result, and what a client is made with.
    get inResult() { return new File(["a"], "b").name; },
    inArgument: (() => {
      let seen;
      new tailor.idp.Client({ get namespace() { seen = new URLSearchParams({ a: 1 }).toString(); return "builtin-idp"; } });
      return seen;
    })(),
  };
};
