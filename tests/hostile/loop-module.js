// Attacks: A module that never ends loading.
// Ends: time
for (;;);
export default () => 1;
