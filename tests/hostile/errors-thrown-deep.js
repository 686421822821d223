// Attacks: What is thrown is a deep value.
// Ends: error 
export default async () => {
  let value = {};
  for (let level = 0; level < 1e5; level++) value = { value };
  throw value;
};
