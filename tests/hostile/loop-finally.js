// Attacks: A finally block that goes on after the termination.
// Ends: time
export default async () => {
  for (;;) { try { for (;;); } finally { for (;;); } }
};
