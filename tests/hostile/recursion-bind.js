// Attacks: A function bound a hundred thousand times.
// Ends: result 1
export default async () => {
  let f = () => 1;
  for (let i = 0; i < 1e5; i++) f = f.bind();
  return f();
};
