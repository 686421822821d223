// What a client is made of.
export {};

new tailor.idp.Client(); // TS2554
new tailor.idp.Client({}); // TS2345
new tailor.idp.Client(null); // TS2345
new tailor.idp.Client(undefined); // TS2345
new tailor.idp.Client(42); // TS2345
new tailor.idp.Client({ namespace: 42 }); // TS2322
new tailor.idp.Client({ namespace: null }); // TS2322
new tailor.idp.Client({ namespace: "builtin-idp", region: "tokyo" }); // TS2353
new tailor.idp.Client({ nameSpace: "builtin-idp" }); // TS2561
new tailor.idp.Client("builtin-idp", {}); // TS2554
tailor.idp.Client("builtin-idp"); // TS2348

const config: tailor.idp.ClientConfig = "builtin-idp"; // TS2322
const idp: tailor.idp.Client = new tailor.idp.Client(config);
idp.namespace; // TS2339
idp.listUsers(); // TS2339
idp.createUsers([]); // TS2551
tailor.idp.User; // TS2339
tailor.idp.Users; // TS2339
tailor.iam; // TS2339
