const through = async (bytes, transform) => {
  const parts = await Array.fromAsync(new Blob([bytes]).stream().pipeThrough(transform));
  return await new Blob(parts).bytes();
};

export default async () => {
  const text = "the same words again and again. ".repeat(1000);
  const bytes = new TextEncoder().encode(text);
  for (const format of ["gzip", "deflate", "deflate-raw"]) {
    const small = await through(bytes, new CompressionStream(format));
    const back = await through(small, new DecompressionStream(format));
    console.log(format, small.length < bytes.length / 10, new TextDecoder().decode(back) === text);
  }
  await through(new Uint8Array([1, 2, 3]), new DecompressionStream("gzip")).catch((error) => console.log(error.name));
  try {
    new CompressionStream("zip");
  } catch (error) {
    console.log(error.name);
  }
};
