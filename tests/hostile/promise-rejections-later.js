// Attacks: The same, after the handler.
// Ends: time
export default async () => {
  const next = async () => { Promise.reject(1).catch(() => {}); await null; return next(); };
  await next();
};
