// The script's own rendering of stacks, good or bad, costs it no code and no message.
const hooks = {
  text: () => "my own stack",
  frames: (_, frames) => frames,
  files: (_, frames) => frames.map((frame) => frame.getFileName()?.split("/").at(-1)).join(" "),
  undefined: () => undefined,
  throws() {
    throw new Error("patched prepareStackTrace");
  },
  noFunction: "text",
};

export default async () => {
  const idp = new tailor.idp.Client("builtin-idp");
  for (const [name, hook] of Object.entries(hooks)) {
    Error.prepareStackTrace = hook;
    for (const userId of ["ghost", 42]) {
      try {
        await idp.user(userId);
      } catch (error) {
        const { code, message } = error;
        Error.prepareStackTrace = undefined;
        console.log(`${name}: ${code} ${message}`);
        Error.prepareStackTrace = hook;
      }
    }
  }
  Error.prepareStackTrace = undefined;
};
