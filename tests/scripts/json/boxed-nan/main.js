export default () => ({ boxed: new Number(NaN) });
