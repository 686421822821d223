class OrderError extends Error {
  name = "OrderError";

  constructor(order) {
    super(`order ${order} is closed`);
    this.order = order;
  }
}

export default async () => {
  await null;
  throw new OrderError(7);
};
