import { expect, test } from "vitest";
import { failNext, idp } from "tailor-idp/vitest";
import signUp from "../src/sign-up.ts";

const ana = { email: "Ana@Example.com", password: "correct horse" };

test("a user who signs up can sign in", async () => {
  const { id } = await signUp(ana);
  expect(idp.createUser).toHaveBeenCalledWith({ name: "Ana@Example.com", password: "correct horse" });
  const signedIn = await idp.signIn("builtin-idp", "ana@example.com", "correct horse");
  expect(signedIn?.user).toMatchObject({ id, name: "ana@example.com", disabled: false });
  expect(await idp.events("builtin-idp")).toMatchObject([{ type: "idp.user.created", userId: id }]);
});

test("nobody signs up twice", async () => {
  await signUp(ana);
  await expect(signUp(ana)).resolves.toEqual({ error: "There is an account with this e-mail address." });
  expect(idp.createUser).toHaveBeenCalledTimes(2);
});

test("a password that is too short is refused", async () => {
  await expect(signUp({ ...ana, password: "short" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

test("a service that does not answer is no crash", async () => {
  failNext("createUser", { code: "UNAVAILABLE" });
  await expect(signUp(ana)).resolves.toEqual({ error: "Please try again in a minute." });
  await expect(signUp(ana)).resolves.toHaveProperty("id");
});
