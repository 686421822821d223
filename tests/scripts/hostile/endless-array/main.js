// An array of four thousand million holes is refused by its length.
export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  const names = [];
  names.length = 4_294_967_295;
  await idp.users({ query: { names } }).catch((error) => console.log(`${error.code} ${error.message}`));
  const ids = Object.assign([], { length: 1_000_000 });
  await idp.users({ query: { ids } }).catch((error) => console.log(`${error.code} ${error.message}`));
};
