globalThis.main = ({ email }) => `globalThis.main of ${email}`;
