// Who may not change a user does not learn what names and passwords have to look like, nor has one hashed.
const idp = new tailor.idp.Client("builtin-idp");

export default async ({ ana, bo }) => {
  const password = "x";
  const calls = {
    "create": () => idp.createUser({ name: "dee@example.com", password }),
    "update ana, whom one may": () => idp.updateUser({ id: ana, password }),
    "update bo, whom one may not": () => idp.updateUser({ id: bo, password }),
    "update nobody": () => idp.updateUser({ id: "nobody", password }),
    "create at a domain that is not allowed": () => idp.createUser({ name: "dee@example.org" }),
    "update bo to a domain that is not allowed": () => idp.updateUser({ id: bo, name: "bo@example.org" }),
    "update ana to a name that one may not": () => idp.updateUser({ id: ana, name: "ann@example.com", password }),
  };
  for (const [what, call] of Object.entries(calls)) {
    try {
      await call();
    } catch ({ message }) {
      console.log(`${what}: ${message}`);
    }
  }
};
