// The result is there when the handler's promise is settled; what still runs does not hold it up.
export default async () => {
  setTimeout(() => console.log("never"), 60_000);
  setInterval(() => {}, 10);
  return "done";
};
