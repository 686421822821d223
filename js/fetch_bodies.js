// Tells Rust whether the script reads the body of a response as a stream or as a whole, since their size limits differ. A body counts as
// one in memory until its stream is handed out.

(function () {
const { core, primordials } = __bootstrap;
const { op_fetch_stream_body } = core.ops;
const { ObjectDefineProperty, ReflectApply, ReflectGetOwnPropertyDescriptor } = primordials;
const { getReadableStreamResourceBacking } = core.loadExtScript("ext:deno_web/06_streams.js");

const markStreamed = (body, isStreamed) => {
  // Undefined for bodies without a stream, for streams of the script, and for clones.
  const backing = getReadableStreamResourceBacking(body.streamOrStatic);
  if (backing !== undefined && backing !== null) {
    op_fetch_stream_body(backing.rid, isStreamed);
  }
};

function limitBodies({ prototype }) {
  // Whether one of the methods below reads `stream` itself.
  let isInternal = false;
  const { get } = ReflectGetOwnPropertyDescriptor(prototype, "stream");
  ObjectDefineProperty(prototype, "stream", {
    __proto__: null,
    get() {
      if (!isInternal) {
        markStreamed(this, true);
      }
      return ReflectApply(get, this, []);
    },
    configurable: true,
  });
  const readWhole = (native) =>
    function () {
      // A stream that the script is reading stays one: the method is going to throw.
      if (!this.unusable()) {
        markStreamed(this, false);
      }
      isInternal = true;
      try {
        return ReflectApply(native, this, []);
      } finally {
        isInternal = false;
      }
    };
  prototype.consume = readWhole(prototype.consume);
  // The stream of a clone keeps what the other one has not read yet.
  prototype.clone = readWhole(prototype.clone);
}

return { limitBodies };
})();
