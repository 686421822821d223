// Guards for buffers whose memory would not be counted.

import { core, primordials } from "ext:core/mod.js";

const {
  ObjectDefineProperties,
  ReflectConstruct,
} = primordials;
const { ArrayBuffer, Proxy: NativeProxy, RangeError } = globalThis;

// Disables growable shared buffers, because their growth is not counted. SharedArrayBuffer does not exist while the snapshot is created.
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

// The native allocation of pixels cannot be refused. Allocating as much in JavaScript first throws a RangeError if it does not fit.
export const guardImageData = (ImageData) => {
  const guarded = new NativeProxy(ImageData, {
    __proto__: null,
    construct: (native, args, newTarget) => {
      if (args.length > 1 && typeof args[0] !== "object") {
        const sizes = [args[0] >>> 0, args[1] >>> 0];
        args[0] = sizes[0];
        args[1] = sizes[1];
        // Four components per pixel, with two bytes each for half-precision floats.
        new ArrayBuffer(sizes[0] * sizes[1] * 8);
      }
      return ReflectConstruct(native, args, newTarget);
    },
  });
  ObjectDefineProperties(ImageData.prototype, { constructor: core.propNonEnumerable(guarded) });
  return guarded;
};
