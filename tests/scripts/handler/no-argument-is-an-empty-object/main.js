export default (...args) => args;
