import { beforeEach, expect, test } from "vitest";
import { idp } from "tailor-idp/vitest";
import forgotPassword from "../src/forgot-password.ts";

let userId: string;

beforeEach(async () => {
  const [ana] = await idp.seed("builtin-idp", [{ name: "ana@example.com", password: "correct horse" }]);
  userId = ana!.id;
});

test("the link in the mail sets a password", async () => {
  await forgotPassword({ userId });
  const [mail] = await idp.mails("builtin-idp");
  expect(mail).toMatchObject({ to: "ana@example.com", fromName: "Example", state: "sent" });
  const next = await idp.resetPassword("builtin-idp", mail!.token!, "another horse");
  expect(next).toBe("https://app.example.com/signed-in");
  expect(await idp.signIn("builtin-idp", "ana@example.com", "another horse")).not.toBeNull();
});

test("the link ends after an hour", async () => {
  await forgotPassword({ userId });
  const [mail] = await idp.mails("builtin-idp");
  idp.advance("2h");
  await expect(idp.resetPassword("builtin-idp", mail!.token!, "another horse")).rejects.toThrow("not valid");
});
