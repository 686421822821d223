const idp = new tailor.idp.Client("builtin-idp");
await idp.user("ghost");

export default () => "never";
