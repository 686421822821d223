// Counts pending timers, including those of AbortSignal.timeout, and has the host check their number before another is created.
//
// Replaces the functions of deno_core that create timers. Must be loaded before the scripts that use them.

(function () {
const { core, primordials } = __bootstrap;
const { op_function_check_timers } = core.ops;
const { ReflectApply, SafeSet, SetPrototypeAdd, SetPrototypeDelete, SetPrototypeGetSize } = primordials;
const { cancelTimer, createSystemTimer, createTimer } = core;

const pending = new SafeSet();

// `create` creates a timer with the callback that it is given.
function createCounted(callback, isRepeated, create) {
  op_function_check_timers(SetPrototypeGetSize(pending) + 1);
  const timer = create(isRepeated ? callback : function (...args) {
    SetPrototypeDelete(pending, timer);
    return ReflectApply(callback, this, args);
  });
  SetPrototypeAdd(pending, timer);
  return timer;
}

core.createTimer = (callback, after, args, isRepeated, isRefed, isSystem) =>
  createCounted(
    callback,
    isRepeated,
    (callback) => createTimer(callback, after, args, isRepeated, isRefed, isSystem),
  );

core.createSystemTimer = (callback, after, isRefed) =>
  createCounted(callback, false, (callback) => createSystemTimer(callback, after, isRefed));

core.cancelTimer = (timer) => {
  SetPrototypeDelete(pending, timer);
  return cancelTimer(timer);
};
})();
