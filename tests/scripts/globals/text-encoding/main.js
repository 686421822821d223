export default () => {
  const bytes = new TextEncoder().encode("ü名🔑");
  console.log(bytes);
  console.log(new TextDecoder().decode(bytes));
  console.log(new TextEncoder().encodeInto("ü名", new Uint8Array(3)));
  console.log(new TextDecoder("shift_jis").decode(new Uint8Array([0x96, 0xbc])));
  console.log(new TextDecoder("utf-16le").decode(new Uint8Array([0x41, 0])));
  console.log(JSON.stringify(new TextDecoder().decode(new Uint8Array([0xff, 0x41]))));
  const decoder = new TextDecoder();
  console.log(decoder.decode(bytes.subarray(0, 3), { stream: true }) + decoder.decode(bytes.subarray(3)));
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([0xff]));
  } catch (error) {
    console.log(error.name);
  }
};
