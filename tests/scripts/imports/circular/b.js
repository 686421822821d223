import { a } from "./main.js";
export const b = () => a() + "b";
