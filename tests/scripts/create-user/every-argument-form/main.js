// Optional fields can be left out or undefined; keys that are not known are ignored.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  class Input {
    name = "instance@example.com";
  }
  const inputs = [
    { name: "only-name@example.com" },
    { name: "undefined@example.com", password: undefined, disabled: undefined },
    { name: "enabled@example.com", disabled: false },
    { name: "disabled@example.com", disabled: true },
    { name: "password@example.com", password: "correct horse" },
    { name: "more-keys@example.com", id: 7, role: "admin", updatedAt: null, clearPassword: "?" },
    new Input(),
    Object.create({ name: "inherited@example.com" }),
    Object.freeze({ name: "frozen@example.com" }),
  ];
  for (const input of inputs) {
    const { name, disabled } = await idp.createUser(input);
    console.log(name, disabled ? "disabled" : "enabled");
  }
  const { name } = await idp.createUser({ name: "two-arguments@example.com" }, { disabled: true });
  return name;
};
