export default () => [Object(10n)];
