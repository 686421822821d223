export default () => Promise.reject(new TypeError("rejected"));
