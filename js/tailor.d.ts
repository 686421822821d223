/**
 * What the Tailor Platform's function runtime gives to a script beside the web's own APIs.
 *
 * A handler is the default export of an ES module: it is called with one JSON value and returns one.
 *
 *     export default async (args) => {
 *       const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
 *       return await idp.createUser({ name: args.email, password: args.password });
 *     };
 */
declare namespace tailor.idp {
  /** Which namespace of the host's a client is for. */
  interface ClientConfig {
    /** 3 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends. */
    namespace: string;
  }

  interface User {
    /** Opaque. */
    id: string;
    /** Unique in its namespace: an e-mail address, unless the namespace takes any identifier. */
    name: string;
    /** A disabled user cannot sign in. */
    disabled: boolean;
    /** RFC 3339, in UTC, with milliseconds. */
    createdAt?: string;
    /** False where the namespace has MFA off, or no factor is enrolled. */
    mfaEnrolled: boolean;
    /** What `unenrollMfa` takes. */
    mfaFactorIds: string[];
  }

  /** Both filters combine with AND. An empty array matches nobody. At most 1000 entries each. */
  interface UserQuery {
    ids?: string[];
    names?: string[];
  }

  interface ListUsersOptions {
    /** How many users at the most: 1 to 1000, 100 if not said. */
    first?: number;
    /** The `nextPageToken` of the page before, of the same namespace and query. */
    after?: string;
    query?: UserQuery;
  }

  interface ListUsersResponse {
    /** In creation order. */
    users: User[];
    /** `null` on the last page, and only there. */
    nextPageToken: string | null;
    /** How many users the query matches, whatever the page. */
    totalCount: number;
  }

  interface CreateUserInput {
    name: string;
    /** Without one the user cannot sign in with a password until one is set. */
    password?: string;
    disabled?: boolean;
  }

  /** What is left out stays as it is. */
  interface UpdateUserInput {
    id: string;
    /** Ends the user's reset links. */
    name?: string;
    /** Excludes `clearPassword`. Ends the user's reset links. */
    password?: string;
    /** Takes the password away. Ends the user's reset links. */
    clearPassword?: boolean;
    /** Disabling ends the user's reset links. */
    disabled?: boolean;
  }

  interface SendPasswordResetEmailInput {
    userId: string;
    /** Where the browser goes after the reset: an absolute `http` or `https` URL. */
    redirectUri: string;
    /** The sender's name; at most 200 characters, no line breaks. */
    fromName?: string;
    /** At most 200 characters, no line breaks. */
    subject?: string;
  }

  interface UnenrollMfaInput {
    userId: string;
    /** One of the user's `mfaFactorIds`. */
    mfaFactorId: string;
  }

  /** The `code` of a rejection. */
  type ErrorCode =
    | "INVALID_ARGUMENT"
    | "NOT_FOUND"
    | "ALREADY_EXISTS"
    | "PERMISSION_DENIED"
    | "FAILED_PRECONDITION"
    | "RESOURCE_EXHAUSTED"
    | "UNAUTHENTICATED"
    | "UNIMPLEMENTED"
    | "DEADLINE_EXCEEDED"
    | "UNAVAILABLE"
    | "INTERNAL";

  /**
   * What a failed call rejects with. The message has the platform's form:
   *
   *     deleteUser failed: code: 'Some requested entity was not found', message: "user not found: ghost"
   */
  interface ClientError extends Error {
    readonly code: ErrorCode;
  }

  /**
   * Manages the users of one namespace. A client is a handle: make as many as you like, and have any number of calls
   * in flight at once.
   */
  class Client {
    /** Throws a `TypeError` where the namespace is not of the form. */
    constructor(config: ClientConfig | string);

    /** One page of users, in creation order. */
    users(options?: ListUsersOptions): Promise<ListUsersResponse>;

    /** The user with this id. Rejects with `NOT_FOUND` if there is none. */
    user(userId: string): Promise<User>;

    /** The user with this name. Rejects with `NOT_FOUND` if there is none. */
    userByName(name: string): Promise<User>;

    /** Creates a user. Rejects with `ALREADY_EXISTS` if the name is taken. */
    createUser(input: CreateUserInput): Promise<User>;

    /** Changes a user and resolves to it as it is now. */
    updateUser(input: UpdateUserInput): Promise<User>;

    /** Deletes a user. Resolves to `true`, or rejects. */
    deleteUser(userId: string): Promise<boolean>;

    /** Resolves to `true` when the mail is queued, or rejects. */
    sendPasswordResetEmail(input: SendPasswordResetEmailInput): Promise<boolean>;

    /** Takes an MFA factor from a user. Resolves to `true`, or rejects. */
    unenrollMfa(input: UnenrollMfaInput): Promise<boolean>;
  }
}

declare namespace tailor.context {
  /** Who the function runs for. */
  interface Invoker {
    id: string;
    type: "user" | "machine_user";
    workspaceId: string;
    attributes: string[];
    attributeMap: Record<string, unknown>;
  }

  /** The invoker; `null` if nobody has signed in. */
  function getInvoker(): Invoker | null;
}
