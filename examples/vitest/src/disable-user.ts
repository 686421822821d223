/** Disables a user, and says on whose behalf. */
export default async (args: { id: string }) => {
  const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
  const user = await idp.updateUser({ id: args.id, disabled: true });
  return { disabled: user.name, by: tailor.context.getInvoker()?.id ?? "nobody" };
};
