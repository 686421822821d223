// No await anywhere.
const idp = new tailor.idp.Client("builtin-idp");

export default () =>
  idp
    .users()
    .then(({ totalCount }) => idp.user(`ghost-${totalCount}`))
    .then(() => "never")
    .finally(() => console.log("finally"));
