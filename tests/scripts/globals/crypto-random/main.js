const version4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export default () => {
  const ids = Array.from({ length: 100 }, () => crypto.randomUUID());
  console.log(ids.every((id) => version4.test(id)), new Set(ids).size);
  const bytes = crypto.getRandomValues(new Uint8Array(64));
  console.log(bytes.length, bytes.some((byte) => byte !== 0));
  console.log(crypto instanceof Crypto, crypto.subtle instanceof SubtleCrypto, Math.random() !== Math.random());
  for (const wrong of [new Float64Array(1), new Uint8Array(65537)]) {
    try {
      crypto.getRandomValues(wrong);
    } catch (error) {
      console.log(error.name);
    }
  }
};
