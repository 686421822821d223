export default () => ({ total: 10n });
