import { a } from "./other";
export default () => a;
