// An Error like any other; its own code does not show up in enumerations.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const caught = [
    await idp.user("ghost").catch((error) => error),
    await idp.user(42).catch((error) => error),
    await idp.createUser({ name: "ana" }).catch((error) => error),
  ];
  for (const error of caught) {
    const { writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(error, "code");
    console.log({
      isError: error instanceof Error,
      plain: Object.getPrototypeOf(error) === Error.prototype && error.constructor === Error,
      name: error.name,
      code: error.code,
      own: Object.hasOwn(error, "code"),
      keys: Object.keys(error),
      ownNames: Object.getOwnPropertyNames(error).sort(),
      json: JSON.stringify(error),
      writable,
      enumerable,
      configurable,
    });
    console.log(String(error));
    console.log(error.stack.split("\n")[0] === String(error));
  }
};
