// A generator function returns an iterator, which has no properties of its own.
export default function* handler() {
  yield 1;
}
