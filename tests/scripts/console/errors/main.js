class OrderError extends Error {
  name = "OrderError";
  order = 7;
}

export default () => {
  console.log(new Error("plain"));
  console.log(new OrderError("with fields"));
  console.log(new Error("outer", { cause: new TypeError("inner") }));
  console.log(new AggregateError([new Error("one"), new Error("two")], "several"));
  console.log([new RangeError("in an array")]);
  console.log(new DOMException("aborted", "AbortError").message);
};
