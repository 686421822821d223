// A client is a handle: its namespace is private, and it has no properties.
export default () => {
  const idp = new tailor.idp.Client("builtin-idp");
  console.log(idp);
  return {
    own: Reflect.ownKeys(idp),
    json: JSON.stringify(idp),
    methods: Object.getOwnPropertyNames(tailor.idp.Client.prototype),
    statics: Object.keys(tailor.idp.Client),
    global: Object.keys(globalThis).includes("tailor"),
  };
};
