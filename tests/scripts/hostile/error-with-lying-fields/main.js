// Fields of an error that throw, or are no text, do not keep the host from telling of it.
class Odd extends Error {
  get name() {
    throw new Error("no name");
  }
  get message() {
    return { toString: () => "no text" };
  }
}

export default () => {
  throw new Odd();
};
