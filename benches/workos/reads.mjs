// Reads one user again and again with WorkOS's client. Prints the reads in a second.
// Arguments: the port of the API, the id of the user, the number of reads, the reads that are under way at once.
import { WorkOS } from "@workos-inc/node";

const [port, id, reads, callers] = process.argv.slice(2);
const workos = new WorkOS("sk_test", { apiHostname: "127.0.0.1", port: Number(port), https: false });

const run = async (reads) => {
  let left = reads;
  const call = async () => {
    while (left-- > 0) {
      const user = await workos.userManagement.getUser(id);
      if (user.id !== id) throw new Error(`another user: ${user.id}`);
    }
  };
  await Promise.all(Array.from({ length: Number(callers) }, call));
};

// The first reads compile the client and open the connections.
await run(Number(reads));
const began = performance.now();
await run(Number(reads));
console.log((Number(reads) * 1000) / (performance.now() - began));
