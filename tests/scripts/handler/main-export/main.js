export const main = async ({ email }) => `main of ${email}`;
