// Integers stay integers, as JSON.stringify writes them.
export default () => [2 ** 53, -(2 ** 53) - 2, 2 ** 60];
