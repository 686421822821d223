// A call from a callback: there is no async caller to name.
const idp = new tailor.idp.Client("builtin-idp");

export default () =>
  new Promise((resolve, reject) => {
    setTimeout(function later() {
      idp.user("ghost").then(resolve, reject);
    }, 1);
  });
