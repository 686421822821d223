// Attacks: A text split and joined, over and over.
// Ends: memory | buffers
export default async () => {
  let text = "a,b";
  for (;;) text = text.split(",").join(",,");
};
