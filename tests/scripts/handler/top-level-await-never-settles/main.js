await new Promise(() => {});

export default () => "never";
