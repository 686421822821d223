import { expect, test, vi } from "vitest";
import { idp as store, mockIdp } from "tailor-idp/vitest";

const fake = { id: "u-1", name: "alice", disabled: false, mfaEnrolled: false, mfaFactorIds: [] };
const admin = { id: "root", type: "user", attributeMap: { role: "ADMIN" } } as const;
const client = (namespace = "builtin-idp") => new tailor.idp.Client({ namespace });

test("mockIdp answers with mocks, then the queue, then the resolver, then the store", async () => {
  using idp = mockIdp();
  store.invoker = admin;
  const { id } = await client().createUser({ name: "ana@example.com" });
  idp.setResolver((method, args, namespace) =>
    method === "userByName" && args[0] === "alice" ? { ...fake, name: `alice of ${namespace}` } : null,
  );
  idp.enqueueResult(fake);
  idp.enqueueResults({ ...fake, id: "u-2" });
  expect(await client().user("x")).toEqual(fake);
  expect((await client().user("x")).id).toBe("u-2");
  expect((await client().userByName("alice")).name).toBe("alice of builtin-idp");
  expect((await client().userByName("ana@example.com")).id).toBe(id);
  idp.namespace("builtin-idp").user.mockResolvedValueOnce({ ...fake, id: "u-3" });
  expect((await client().user("x")).id).toBe("u-3");
  await expect(client().user("x")).rejects.toMatchObject({ code: "NOT_FOUND" });

  expect(idp.calls[0]).toEqual({ method: "createUser", args: [{ name: "ana@example.com" }], namespace: "builtin-idp" });
  expect(idp.namespace("builtin-idp").user).toHaveBeenCalledTimes(4);
  expect(idp.Client).toHaveBeenCalledWith({ namespace: "builtin-idp" });
  idp.clear();
  expect(idp.calls).toEqual([]);
  expect(idp.namespace("builtin-idp").user).not.toHaveBeenCalled();
  idp.enqueueResult(fake);
  idp.reset();
  await expect(client().user("x")).rejects.toMatchObject({ code: "NOT_FOUND" });
  expect((await store.seed("builtin-idp", [{ name: "ben@example.com" }]))[0]!.name).toBe("ben@example.com");
});

test("mockIdp ends with its block", async () => {
  const before = tailor.idp;
  {
    using idp = mockIdp({ onUnhandled: "error" });
    expect(tailor.idp).not.toBe(before);
    await expect(client().user("x")).rejects.toThrow("has no answer to builtin-idp.user");
    expect(idp.calls).toHaveLength(1);
  }
  expect(tailor.idp).toBe(before);
  await expect(client().user("x")).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
});

test("each test starts with an empty store and no calls", async () => {
  expect(store.createUser).not.toHaveBeenCalled();
  expect(await store.withInvoker(admin, () => client().users())).toMatchObject({ totalCount: 0 });
});

test("mocks are spies as those of vitest are", async () => {
  store.createUser.mockRejectedValueOnce(new Error("planned"));
  await expect(client().createUser({ name: "ana@example.com" })).rejects.toThrow("planned");
  vi.clearAllMocks();
  await client().createUser({ name: "ana@example.com" });
  expect(store.createUser.mock.calls).toEqual([[{ name: "ana@example.com" }]]);
  expect(store.namespace("builtin-idp").createUser).toHaveBeenCalledOnce();
  expect(() => store.failNext("createUser", { code: "BROKEN" as never })).toThrow('there is no error code "BROKEN"');
});
