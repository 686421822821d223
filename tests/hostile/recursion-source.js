// Attacks: A script text nested deep.
// Ends: error EvalError
export default async () => {
  return new Function("return " + "(".repeat(1e6))();
};
