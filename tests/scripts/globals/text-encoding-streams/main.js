const all = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) {
    chunks.push(chunk);
  }
  return chunks;
};

export default async () => {
  const encoded = await all(ReadableStream.from(["ü", "名"]).pipeThrough(new TextEncoderStream()));
  const bytes = encoded.flatMap((chunk) => [...chunk]);
  console.log(bytes);
  const halves = [new Uint8Array(bytes.slice(0, 3)), new Uint8Array(bytes.slice(3))];
  const decoded = await all(ReadableStream.from(halves).pipeThrough(new TextDecoderStream()));
  console.log(decoded);
};
