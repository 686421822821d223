// A handler without return has the result null.
export default () => {};
