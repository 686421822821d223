export default (args) => [typeof args, args];
