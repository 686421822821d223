// Names are stored in NFC, and looked up so: both spellings of é are one name. Compatibility forms stay apart.
const composed = "Caf\u00e9";
const decomposed = "Cafe\u0301";

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const { id, name } = await idp.createUser({ name: decomposed });
  console.log(name === composed, name.length);
  console.log((await idp.userByName(composed)).id === id, (await idp.userByName(decomposed)).id === id);
  console.log((await idp.users({ query: { names: [composed, decomposed] } })).totalCount);
  await idp.createUser({ name: composed }).catch((error) => console.log(error.message));
  await idp.createUser({ name: decomposed }).catch((error) => console.log(error.message));
  console.log((await idp.updateUser({ id, name: decomposed })).name === composed);
  for (const name of ["ﬁsh", "fish", "①", "1"]) {
    console.log((await idp.createUser({ name })).name);
  }
  // 256 composed characters, whatever the spelling.
  console.log((await idp.createUser({ name: "e\u0301".repeat(256) })).name.length);
};
