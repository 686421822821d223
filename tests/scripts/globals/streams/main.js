export default async () => {
  const source = new ReadableStream(
    {
      start(controller) {
        [1, 2, 3].forEach((value) => controller.enqueue(value));
        controller.close();
      },
    },
    new CountQueuingStrategy({ highWaterMark: 3 }),
  );
  const double = new TransformStream({ transform: (value, controller) => controller.enqueue(value * 2) });
  const written = [];
  const sink = new WritableStream({ write: (value) => void written.push(value), close: () => void written.push("closed") });
  await source.pipeThrough(double).pipeTo(sink);
  console.log(written);

  const [one, two] = ReadableStream.from(["a", "b", "c"]).tee();
  const reader = one.getReader();
  console.log(await reader.read(), (await Array.fromAsync(two)).join(""), two.locked);

  const bytes = new ReadableStream({
    type: "bytes",
    pull(controller) {
      controller.byobRequest.view[0] = 7;
      controller.byobRequest.respond(1);
    },
  });
  console.log(await bytes.getReader({ mode: "byob" }).read(new Uint8Array(4)));

  const failing = new ReadableStream({
    pull() {
      throw new RangeError("no more");
    },
  });
  await failing.getReader().read().catch((error) => console.log(error.message));
  console.log(new ByteLengthQueuingStrategy({ highWaterMark: 1 }).size(new Uint8Array(5)));
};
