import { greet } from "./greet.ts";

export const main = async () => {
  const { lazy } = await import("./lazy/one.mjs");
  return [greet("bo"), lazy()];
};
