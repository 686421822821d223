// Attacks: A stack trace of a message of half a billion characters.
// Ends: error RangeError
export default async () => {
  let message = "x".repeat(2 ** 25 - 1);
  for (let level = 0; level < 3; level++) message += message;
  message += message;
  return new Error(message).stack.length;
};
