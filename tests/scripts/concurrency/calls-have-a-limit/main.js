// Each call beyond the limit of the settings rejects. The script can catch it, and goes on.
const idp = new tailor.idp.Client("builtin-idp");
const attempt = (work) => work.then(() => "ok", ({ code, message }) => `${code}: ${message}`);

export default async () => ({
  atOnce: await Promise.all([1, 2, 3, 4].map(() => attempt(idp.users()))),
  // The argument is checked first.
  wrong: await attempt(idp.user(1)),
  after: await attempt(idp.deleteUser("ghost")),
});
