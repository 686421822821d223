const objects = [[], ["an-id"], {}, { id: "an-id" }, () => "an-id", Symbol("id"), 1n, new String("x")];
const values = [undefined, null, 42, NaN, true, ...objects];

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  for (const method of ["user", "userByName"]) {
    for (const value of values) {
      await idp[method](value).catch((error) => console.log(`${error.code} ${error.message}`));
    }
    await idp[method]().catch((error) => console.log(`${error.code} ${error.message}`));
    await idp[method]("x".repeat(20_000)).catch((error) => console.log(`${error.code} ${error.message}`));
    await idp[method]("lone \ud800").catch((error) => console.log(`${error.code} ${error.message}`));
  }
};
