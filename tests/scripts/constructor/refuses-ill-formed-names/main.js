// The form: 3 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends.
const refused = [
  "",
  "ab",
  "a".repeat(64),
  "Builtin-idp",
  "-builtin",
  "builtin-",
  "built in",
  " builtin-idp",
  "builtin_idp",
  "builtin.idp",
  "büiltin-idp",
  "builtin-idp\n",
  "../builtin-idp",
];
const accepted = ["abc", "a-b", "0-9", "a--b", "a".repeat(63)];

export default () => {
  for (const name of refused) {
    for (const config of [name, { namespace: name }]) {
      try {
        new tailor.idp.Client(config);
        console.log("accepted", config);
      } catch (error) {
        console.log(`${error.name}: ${error.message}`);
      }
    }
  }
  for (const name of accepted) {
    console.log("accepted:", new tailor.idp.Client(name) instanceof tailor.idp.Client);
  }
};
