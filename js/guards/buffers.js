// Buffers that the engine or the host would have beside what is counted.

import { core, primordials } from "ext:core/mod.js";

const {
  ObjectDefineProperties,
  ReflectConstruct,
} = primordials;
const { ArrayBuffer, Proxy: NativeProxy, RangeError } = globalThis;

// What a shared buffer grows by is counted nowhere: it keeps the length that it is made with. The engine has no such buffers
// while the snapshot is made.
export const fixSharedBuffers = () => {
  const { SharedArrayBuffer } = globalThis;
  if (SharedArrayBuffer === undefined) {
    return;
  }
  const guarded = new NativeProxy(SharedArrayBuffer, {
    __proto__: null,
    construct: (native, args, newTarget) => {
      const options = args[1];
      if (options !== null && typeof options === "object" && options.maxByteLength !== undefined) {
        throw new RangeError("a SharedArrayBuffer that can grow is not to be had");
      }
      return ReflectConstruct(native, [args[0]], newTarget);
    },
  });
  ObjectDefineProperties(SharedArrayBuffer.prototype, { constructor: core.propNonEnumerable(guarded) });
  ObjectDefineProperties(globalThis, { SharedArrayBuffer: core.propNonEnumerable(guarded) });
};

// A picture's bytes are taken by the host, which has no way to be refused them. So they are taken here first, and given back.
export const guardImageData = (ImageData) => {
  const guarded = new NativeProxy(ImageData, {
    __proto__: null,
    construct: (native, args, newTarget) => {
      if (args.length > 1 && typeof args[0] !== "object") {
        const sizes = [args[0] >>> 0, args[1] >>> 0];
        args[0] = sizes[0];
        args[1] = sizes[1];
        // Half-precision floats take two bytes for each of the four parts of a pixel.
        new ArrayBuffer(sizes[0] * sizes[1] * 8);
      }
      return ReflectConstruct(native, args, newTarget);
    },
  });
  ObjectDefineProperties(ImageData.prototype, { constructor: core.propNonEnumerable(guarded) });
  return guarded;
};
