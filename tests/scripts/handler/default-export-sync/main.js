export default function handler(args) {
  return { got: args, arguments: arguments.length, strict: this === undefined };
}
