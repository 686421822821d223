import lodash from "https://example.com/lodash.js";

export default () => lodash.VERSION;
