export default () => [-Infinity];
