// Attacks: Functions from text without end.
// Ends: error EvalError
export default async () => {
  for (let i = 0; ; i++) new Function(`return ${i}`)();
};
