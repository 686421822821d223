export default async () => {
  const name = "there";
  return await import(`./${name}.js`);
};
