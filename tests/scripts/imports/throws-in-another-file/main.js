import { check } from "./check.ts";

export default () => check({ name: "" });
