// Attacks: An RSA key of 16384 bits.
// Ends: error OperationError
export default async () => {
  await crypto.subtle.generateKey({ name: 'RSA-PSS', modulusLength: 16384, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }, true, ['sign']);
};
