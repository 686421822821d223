// No error object: what there is of it is told, wherever it is thrown.
export default async () => {
  Promise.reject({ code: 42, reason: "no error object" });
  await new Promise((resolve) => setTimeout(resolve, 5000));
};
