export default () => ({ scores: [1, { "mean value": NaN }] });
