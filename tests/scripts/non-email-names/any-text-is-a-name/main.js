// 1 to 256 characters, counted as Unicode scalar values, without control characters.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const names = ["ana", "0", " ", "employee #42", "山田太郎", "👩‍💻", "ana@example.com", "x".repeat(256), "🔑".repeat(256)];
  for (const name of names) {
    const user = await idp.createUser({ name });
    const found = await idp.userByName(name);
    console.log(JSON.stringify(name.slice(0, 20)), user.name === name, found.id === user.id);
  }
  const tooLong = ["x".repeat(257), "🔑".repeat(257)];
  for (const name of ["", ...tooLong, "tab\t", "line\nbreak", "nul\u0000", "del\u007f", "\u0085", "\u009f"]) {
    await idp.createUser({ name }).catch((error) => console.log(`${error.code} ${error.message}`));
  }
  const { id } = await idp.userByName("ana");
  for (const name of ["", "x".repeat(257), "\u001b[31m"]) {
    await idp.updateUser({ id, name }).catch((error) => console.log(`${error.code} ${error.message}`));
  }
};
