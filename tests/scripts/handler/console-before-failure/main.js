// What was logged before the failure is there, in order, ahead of the error.
console.log("module");

export default async () => {
  console.log("handler");
  await null;
  console.warn("still fine");
  throw new Error("not fine");
};
