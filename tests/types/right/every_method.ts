// Every method, with every field, and every result as the type that it is.
interface Args {
  email: string;
  password?: string;
}

export default async ({ email, password }: Args): Promise<tailor.idp.User[]> => {
  const config: tailor.idp.ClientConfig = { namespace: "builtin-idp" };
  const idp: tailor.idp.Client = new tailor.idp.Client(config);
  const same = new tailor.idp.Client("builtin-idp");

  const smallest: tailor.idp.CreateUserInput = { name: email };
  const created: tailor.idp.User = await idp.createUser(smallest);
  await idp.createUser({ name: `second.${email}`, password: "long enough", disabled: false });
  await idp.createUser({ name: `third.${email}`, password, disabled: undefined });

  const byId: tailor.idp.User = await same.user(created.id);
  const byName: tailor.idp.User = await same.userByName(byId.name);

  const change: tailor.idp.UpdateUserInput = { id: byName.id };
  await idp.updateUser(change);
  await idp.updateUser({ id: byName.id, name: email, password: "longer still", disabled: true });
  const updated: tailor.idp.User = await idp.updateUser({ id: byName.id, clearPassword: true });

  const reset: tailor.idp.SendPasswordResetEmailInput = { userId: updated.id, redirectUri: "https://example.com/" };
  const queued: boolean = await idp.sendPasswordResetEmail(reset);
  await idp.sendPasswordResetEmail({ ...reset, fromName: "Example", subject: "Your password" });

  const [mfaFactorId] = updated.mfaFactorIds;
  if (queued && mfaFactorId !== undefined) {
    const factor: tailor.idp.UnenrollMfaInput = { userId: updated.id, mfaFactorId };
    const taken: boolean = await idp.unenrollMfa(factor);
    taken satisfies boolean;
  }

  const deleted: boolean = await idp.deleteUser(updated.id);
  deleted satisfies boolean;

  // Any number of calls in flight at once.
  return await Promise.all([idp.user(created.id), same.userByName(email)]);
};
