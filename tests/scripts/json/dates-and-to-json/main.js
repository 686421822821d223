// toJSON has the say, and is told the key.
class Money {
  constructor(amount) {
    this.amount = amount;
  }
  toJSON(key) {
    return `${key}: ${this.amount}`;
  }
}

export default () => ({
  date: new Date(0),
  noDate: new Date(NaN),
  price: new Money(5),
  prices: [new Money(1), new Money(2)],
  url: new URL("https://example.com/?q=1"),
  nothing: { toJSON: () => undefined },
  noFunction: { toJSON: "text", kept: true },
  again: { toJSON: () => ({ date: new Date(0) }) },
});
