// (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
const add = Uint8Array.fromHex(
  "0061736d01000000" + "0107016002" + "7f7f017f" + "03020100" + "0707010361646400" + "00" + "0a09010700200020016a0b",
);

export default async () => {
  console.log(WebAssembly.validate(add));
  const { instance, module } = await WebAssembly.instantiate(add);
  console.log(instance.exports.add(40, 2), WebAssembly.Module.exports(module));
  const again = new WebAssembly.Instance(new WebAssembly.Module(add));
  console.log(again.exports.add(2 ** 31 - 1, 1));
  await WebAssembly.instantiate(new Uint8Array([0, 1, 2, 3])).catch((error) => console.log(error.name));
};
