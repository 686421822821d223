// What is no address, and what hides something else behind one.
const names = [
  "",
  "ana",
  "ana@",
  "@example.com",
  "ana@example",
  "ana@@example.com",
  "ana@example..com",
  ".ana@example.com",
  "ana.@example.com",
  " ana@example.com",
  "ana@example.com ",
  "ana @example.com",
  "ana@example.com\n",
  "ana@example.com\r\nbcc: bo@example.com",
  "ana <ana@example.com>",
  "mailto:ana@example.com",
  "ana@example.com,bo@example.com",
  "ana@[127.0.0.1]",
  "ana\u0000@example.com",
  '"ana maria"@example.com',
  "ana at example.com",
];

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  for (const name of names) {
    await idp.createUser({ name }).then(
      (user) => console.log("created", user),
      (error) => console.log(`${error.code} ${error.message}`),
    );
  }
};
