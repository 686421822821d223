// Attacks: Streaming compilation without a stream.
// Ends: result ["TypeError","TypeError"]
export default async () => {
  const names = [];
  for (const name of ["compileStreaming", "instantiateStreaming"]) {
    try { await WebAssembly[name](Promise.resolve({})); } catch (error) { names.push(error.name); }
  }
  return names;
};
