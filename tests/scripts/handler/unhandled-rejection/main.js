// Nobody waits for the promise: its rejection ends the script all the same.
export default async () => {
  Promise.reject(new Error("nobody is looking"));
  await new Promise((resolve) => setTimeout(resolve, 5000));
  return "never";
};
