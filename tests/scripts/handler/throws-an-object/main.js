export default async () => {
  throw { code: 42, reason: "no error object" };
};
