const { Blob: Kept } = globalThis;
export const inModule = () => [Kept === Blob, new Kept(["abc"]).size, typeof crypto.randomUUID()];
