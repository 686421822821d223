// Attacks: A module that waits for ever.
// Ends: time
await new Promise((resolve) => setTimeout(resolve, 1e9));
export default () => 1;
