// 6 to 4096 characters, counted as Unicode scalar values: an emoji is one. The message tells the length only.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const passwords = {
    empty: "",
    five: "abcde",
    fiveEmoji: "🔑".repeat(5),
    sixEmoji: "🔑".repeat(6),
    six: "abcdef",
    longest: "x".repeat(4096),
    longestEmoji: "🔑".repeat(4096),
    tooLong: "x".repeat(4097),
    tooLongEmoji: "🔑".repeat(4097),
    malformed: "correct \ud800 horse",
  };
  for (const [who, password] of Object.entries(passwords)) {
    await idp.createUser({ name: `${who}@example.com`, password }).then(
      (user) => console.log("created", user.name),
      (error) => console.log(`${who}: ${error.code} ${error.message}`),
    );
  }
};
