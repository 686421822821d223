export default () => Infinity;
