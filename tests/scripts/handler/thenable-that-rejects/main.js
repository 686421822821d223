export default async () => ({
  then(resolve, reject) {
    reject(new RangeError("then rejected"));
    resolve("too late");
  },
});
