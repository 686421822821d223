import secret from "../../../../examples/handlers/tour.js";
export default () => secret;
