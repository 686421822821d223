// Starts WorkOS's emulator without users. Prints its address to stdout as JSON, and ends with stdin.
// Each line on stdin removes all users; then `{}` is printed.
import { once } from "node:events";
import { Server } from "node:net";
import { createEmulator } from "workos/emulate";

// The emulator listens on all interfaces, and does not tell which port it was given.
let server;
const { listen } = Server.prototype;
Server.prototype.listen = function (options, ...rest) {
  server = this;
  const port = typeof options === "object" ? options.port : options;
  const listening = rest.find((value) => typeof value === "function");
  return listen.call(this, { port, host: "127.0.0.1" }, listening);
};

// For each key, the emulator takes 1,000 requests in a minute, and no option changes that. The tests send more.
const { set } = Map.prototype;
Map.prototype.set = function (key, value) {
  if (value?.remaining === 1000 && "resetAt" in value) value.remaining = Number.MAX_SAFE_INTEGER;
  return set.call(this, key, value);
};

const emulator = await createEmulator({ port: 0 });
if (!server.listening) await once(server, "listening");
console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}`, apiKey: emulator.apiKey }));
process.stdin.on("data", (lines) => {
  for (const _ of lines.toString().matchAll(/\n/g)) {
    emulator.reset();
    console.log("{}");
  }
});
process.stdin.on("end", () => process.exit());
