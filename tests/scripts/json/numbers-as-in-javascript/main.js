// Numbers are written as JSON.stringify writes them, which the log shows.
export default () => {
  const numbers = [
    6.535459584140579e16, 2 ** 63, 2 ** 64, -(2 ** 63), 1e20, 1.2345678901234568e20, 1e21, 1.5e300,
    0.000001, 1e-7, 1.25e-7, 123.456, -1e-10, 5e-324, 100, 9007199254740993,
  ];
  console.log(JSON.stringify(numbers, null, 2));
  return numbers;
};
