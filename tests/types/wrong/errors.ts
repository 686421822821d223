// What the methods reject with.
const idp = new tailor.idp.Client("builtin-idp");

export default async () => {
  try {
    await idp.deleteUser("a");
  } catch (error) {
    error.code; // TS18046
    const failure = error as tailor.idp.ClientError;
    failure.status; // TS2339
    failure.detail; // TS2339
    if (failure.code === "not_found") { // TS2367
      return;
    }
    if (failure.code === 5) { // TS2367
      return;
    }
    const code: "NOT_FOUND" = failure.code; // TS2322
    const number: number = failure.code; // TS2322
    const known: tailor.idp.ErrorCode = "CANCELLED"; // TS2322
    const some: Record<tailor.idp.ErrorCode, number> = { NOT_FOUND: 1 }; // TS2740
    const plain: tailor.idp.ClientError = new Error("no code"); // TS2741
    switch (failure.code) {
      case "CANCELLED": // TS2678
        break;
    }
    failure.code = "NOT_FOUND"; // TS2540
    throw new tailor.idp.ClientError(`${code} ${number} ${known} ${some} ${plain}`); // TS2339
  }
};
