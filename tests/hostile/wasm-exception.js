// Attacks: Exceptions of WebAssembly, thrown.
// Ends: error 
export default async () => {
  const tag = new WebAssembly.Tag({ parameters: ["externref"] });
  throw new WebAssembly.Exception(tag, [{}], { traceStack: true });
};
