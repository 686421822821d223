import "./other.js";
export default () => 1;
