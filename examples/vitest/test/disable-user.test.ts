import { beforeEach, expect, test } from "vitest";
import { idp, withInvoker } from "tailor-idp/vitest";
import disableUser from "../src/disable-user.ts";

const admin = { id: "root", type: "user", attributeMap: { role: "ADMIN" } } as const;
let id: string;

beforeEach(async () => {
  const [ana] = await idp.seed("builtin-idp", [{ name: "ana@example.com" }]);
  id = ana!.id;
});

test("an administrator disables a user", async () => {
  const result = await withInvoker(admin, () => disableUser({ id }));
  expect(result).toEqual({ disabled: "ana@example.com", by: "root" });
});

test("users disable themselves and nobody else", async () => {
  idp.invoker = { id: "ben", type: "user" };
  await expect(disableUser({ id })).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  idp.invoker = { id, type: "user" };
  await expect(disableUser({ id })).resolves.toEqual({ disabled: "ana@example.com", by: id });
});

test("an anonymous caller disables nobody", async () => {
  await expect(disableUser({ id })).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
});
