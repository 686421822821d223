// What the host hands in arrives as it is.
export default (args) => {
  console.log(Object.keys(args).join());
  console.log(Object.getPrototypeOf(args) === Object.prototype, Object.hasOwn(args, "__proto__"));
  console.log(args.large, args.precise, args.negativeZero, args.text.length);
  return args;
};
