// A worker thread that counts its users, and ends while calls are pending.

import { parentPort } from "node:worker_threads";
import { createIdp } from "tailor-idp";

const idp = await createIdp({ passwordHash: "standard" });
const client = new idp.Client("builtin-idp");
await client.createUser({ name: "ana@example.com" });
const { totalCount } = await client.users();
for (let n = 0; n < 8; n += 1) void client.createUser({ name: `${n}@example.com`, password: "correct horse" });
parentPort.postMessage(totalCount);
process.exit();
