export default () => tailor.context.getInvoker();
