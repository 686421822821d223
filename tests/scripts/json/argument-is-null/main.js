export default (args) => [args === null, args];
