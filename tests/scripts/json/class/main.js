export default () => tailor.idp.Client;
