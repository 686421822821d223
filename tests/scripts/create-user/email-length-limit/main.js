// 254 characters pass, 255 do not.
const email = (length) => {
  const domain = ["d".repeat(63), "d".repeat(63), "d".repeat(length - 197), "com"].join(".");
  return `${"l".repeat(64)}@${domain}`;
};

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { name } = await idp.createUser({ name: email(254) });
  console.log("created a name of", name.length);
  for (const length of [255, 258]) {
    await idp.createUser({ name: email(length) }).catch((error) => console.log(`${error.code} ${error.message}`));
  }
};
