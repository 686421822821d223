// Attacks: Signals that depend on each other.
// Ends: time | memory | buffers
export default async () => {
  let signal = new AbortController().signal;
  for (;;) signal = AbortSignal.any([signal, new AbortController().signal]);
};
