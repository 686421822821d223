// Starts WorkOS's emulator without users. Prints its address to stdout as JSON, and ends with stdin.
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

const { apiKey } = await createEmulator({ port: 0 });
if (!server.listening) await once(server, "listening");
console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}`, apiKey }));
process.stdin.on("end", () => process.exit()).resume();
