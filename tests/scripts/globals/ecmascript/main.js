// The language's own library, the newer parts of it included.
export default async () => {
  console.log(Object.groupBy([1, 2, 3], (n) => (n % 2 ? "odd" : "even")));
  console.log([3, 1, 2].toSorted(), [1, 2, 3].at(-1), new Set([1, 2]).union(new Set([3])));
  console.log(new Intl.NumberFormat("de-DE").format(1234567.89), new Intl.DateTimeFormat("ja-JP", { timeZone: "UTC" }).format(0));
  console.log("résumé".localeCompare("resume", "fr", { sensitivity: "base" }), "İ".toLowerCase().length);
  console.log(await Array.fromAsync([Promise.resolve(1), 2]), Promise.try(() => 1) instanceof Promise);
  console.log(/(?<year>\d{4})/v.exec("in 2025").groups.year, "a-b-c".replaceAll("-", "+"), 2n ** 64n);
  console.log(new Date(0).toLocaleString("en-US", { timeZone: "Asia/Tokyo" }));
  const weak = new WeakRef({ alive: true });
  console.log(weak.deref().alive, [..."🔑ü"].length, "\ud800".isWellFormed());
};
