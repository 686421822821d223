export default async (args) => ({ got: args });
