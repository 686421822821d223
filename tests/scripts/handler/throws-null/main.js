export default async () => {
  throw null;
};
