type A = string;

export default (a: A): string => {
  const b: = a;
  return b;
};
