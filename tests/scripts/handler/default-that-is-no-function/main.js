// What cannot be called is passed over.
export default { main: () => "a method" };

export const main = "text";

globalThis.main = () => "globalThis.main";
