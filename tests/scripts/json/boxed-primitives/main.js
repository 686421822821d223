export default () => [new Number(1.5), new String("text"), new Boolean(false), new Boolean(true), Object("text")];
