const settings = undefined;
const { region } = settings;

export default () => region;
