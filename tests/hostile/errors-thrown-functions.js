// Attacks: What is thrown is a function with properties.
// Ends: error 
export default async () => {
  throw Object.assign(() => {}, { message: "x".repeat(1e6), stack: ["x"] });
};
