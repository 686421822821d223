export default () => ({ user: { greet() {} } });
