// A golden test of the handler: expected.txt is what this prints, with [UUID] for ids. From the folder of the settings:
//
//   tailor-idp run tests/sign-up/main.js --arg-file tests/sign-up/args.json --db "$(mktemp -d)/users.db"
import signUp from "../../sign-up.js";

export default async (user) => {
  console.log("the first time:", (await signUp(user)).created);
  console.log("the second time:", (await signUp(user)).created);
  try {
    await signUp({ email: "bo@example.com", password: "short" });
  } catch (error) {
    console.log(error.message);
  }
  return await new tailor.idp.Client("builtin-idp").userByName(user.email).then(({ id, name }) => ({ id, name }));
};
