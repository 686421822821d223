// Attacks: Bound functions of bound functions.
// Ends: memory | buffers
export default async () => {
  let bound = () => {};
  for (;;) bound = bound.bind(null, new Array(100));
};
