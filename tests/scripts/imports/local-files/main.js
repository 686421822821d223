import { greet } from "./greet.ts";
export * from "./handler.js";
console.log(greet("ana"), import.meta.url.split("/").at(-1));
