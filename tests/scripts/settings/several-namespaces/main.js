export default async () => {
  const staff = new tailor.idp.Client("staff");
  const customers = new tailor.idp.Client("customers");
  const attempt = (call) => call.then(({ name }) => name, (error) => error.message);
  console.log(await attempt(staff.createUser({ name: "ana@example.com", password: "short one" })));
  console.log(await attempt(staff.createUser({ name: "ana" })));
  console.log(await attempt(customers.createUser({ name: "ana", password: "short one" })));
  console.log(await attempt(new tailor.idp.Client("builtin-idp").createUser({ name: "ana" })));
};
