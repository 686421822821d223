// Counts the timers that wait, those of AbortSignal.timeout among them, and tells the host before there is one more.
//
// Loaded ahead of the scripts that make timers, and put in the place of what they make them with.

(function () {
const { core, primordials } = __bootstrap;
const { op_function_check_timers } = core.ops;
const { ReflectApply, SafeSet, SetPrototypeAdd, SetPrototypeDelete, SetPrototypeGetSize } = primordials;
const { cancelTimer, createSystemTimer, createTimer } = core;

const waiting = new SafeSet();

// `make` makes a timer that calls what it is given.
function counted(callback, isRepeated, make) {
  op_function_check_timers(SetPrototypeGetSize(waiting) + 1);
  const timer = make(isRepeated ? callback : function (...args) {
    SetPrototypeDelete(waiting, timer);
    return ReflectApply(callback, this, args);
  });
  SetPrototypeAdd(waiting, timer);
  return timer;
}

core.createTimer = (callback, after, args, isRepeated, isRefed, isSystem) =>
  counted(
    callback,
    isRepeated,
    (callback) => createTimer(callback, after, args, isRepeated, isRefed, isSystem),
  );

core.createSystemTimer = (callback, after, isRefed) =>
  counted(callback, false, (callback) => createSystemTimer(callback, after, isRefed));

core.cancelTimer = (timer) => {
  SetPrototypeDelete(waiting, timer);
  return cancelTimer(timer);
};
})();
