import secret from "../../handler/none/main.js";
export default () => secret;
