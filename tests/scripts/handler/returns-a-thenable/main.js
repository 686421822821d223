// Awaited as a promise is, to the end.
export default () => ({
  then(resolve) {
    resolve({
      then(resolve) {
        setTimeout(() => resolve("the inner value"), 1);
      },
    });
  },
});
