// A rejection: the code by a cast, and every code there is.
const meaning: Record<tailor.idp.ErrorCode, string> = {
  INVALID_ARGUMENT: "a wrong type or value",
  NOT_FOUND: "no such namespace, user or factor",
  ALREADY_EXISTS: "the name is taken",
  PERMISSION_DENIED: "the namespace's permission denies it",
  FAILED_PRECONDITION: "the namespace's settings rule it out",
  RESOURCE_EXHAUSTED: "a limit",
  UNAUTHENTICATED: "the host's credentials are refused",
  UNIMPLEMENTED: "the backend cannot do it",
  DEADLINE_EXCEEDED: "the backend did not answer in time",
  UNAVAILABLE: "try again",
  ABORTED: "the user changed at the same time, or the outcome is unknown",
  INTERNAL: "anything else",
};

export async function main({ id }: { id: string }): Promise<string | null> {
  const idp = new tailor.idp.Client("builtin-idp");
  try {
    await idp.deleteUser(id);
    return null;
  } catch (error) {
    const { code, message, stack } = error as tailor.idp.ClientError;
    const plain: Error = error as tailor.idp.ClientError;
    if (code === "NOT_FOUND") {
      return null;
    }
    return `${meaning[code]}: ${message} ${stack ?? ""} ${plain.name}`;
  }
}
