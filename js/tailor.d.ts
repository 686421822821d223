/**
 * The APIs of the Tailor Platform's function runtime, beside the standard web APIs.
 *
 * A function script is an ES module. Its default export is the handler, which takes a JSON value and returns one:
 *
 *     export default async (args) => {
 *       const idp = new tailor.idp.Client({ namespace: "builtin-idp" });
 *       return await idp.createUser({ name: args.email, password: args.password });
 *     };
 */
declare namespace tailor.idp {
  /** The configuration of a client. */
  interface ClientConfig {
    /** The namespace: 3 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends. */
    namespace: string;
  }

  /** A user of the identity provider. */
  interface User {
    /** Opaque and immutable. */
    id: string;
    /**
     * Unique in the namespace. An e-mail address in lower case with its domain in ASCII, unless the namespace allows any
     * identifier.
     */
    name: string;
    /** Whether the user is disabled, which prevents sign-in. */
    disabled: boolean;
    /** Time of creation: RFC 3339 in UTC, with milliseconds. Missing if the store does not know it. */
    createdAt?: string;
    /** Whether an MFA factor is enrolled. Always `false` if MFA is off in the namespace. */
    mfaEnrolled: boolean;
    /** The ids of the enrolled MFA factors, for `unenrollMfa`. Empty if MFA is off in the namespace. */
    mfaFactorIds: string[];
  }

  /** Filters for users. A user must match all filters that are set. */
  interface UserQuery {
    /** The user has one of these ids: at most 1000. An empty array matches no users. */
    ids?: string[];
    /** The user has one of these names, in any spelling: at most 1000. An empty array matches no users. */
    names?: string[];
  }

  /** Parameters for listing users. */
  interface ListUsersOptions {
    /** Maximum users on the page: 1 to 1000. The default is 100. */
    first?: number;
    /** The `nextPageToken` of the previous page, which must have the same namespace and query. `null` counts as omitted. */
    after?: string;
    /** Which users to list. The default is all users. */
    query?: UserQuery;
  }

  /** One page of users. */
  interface ListUsersResponse {
    /** The users, in order of creation. */
    users: User[];
    /** Token for the next page. `null` on the last page. */
    nextPageToken: string | null;
    /** Number of users that match the query, on all pages. */
    totalCount: number;
  }

  /** A user to create. */
  interface CreateUserInput {
    /**
     * An e-mail address of at most 254 characters, unless the namespace allows any identifier. It is normalised: lower case, NFC,
     * the domain in ASCII.
     */
    name: string;
    /** If omitted, the user cannot sign in with a password until one is set. */
    password?: string;
    /** The default is `false`. */
    disabled?: boolean;
  }

  /** Changes to a user. Omitted fields stay unchanged. */
  interface UpdateUserInput {
    /** The id of the user to change. */
    id: string;
    /** The new name. Invalidates the user's password-reset links, unless it is the name that the user has. */
    name?: string;
    /** The new password. Cannot be combined with `clearPassword`. Invalidates the user's password-reset links. */
    password?: string;
    /** Removes the password. Invalidates the user's password-reset links. */
    clearPassword?: boolean;
    /** Disables or enables the user. Disabling invalidates the user's password-reset links. */
    disabled?: boolean;
  }

  /** A password-reset mail to send. */
  interface SendPasswordResetEmailInput {
    /** The id of the recipient. */
    userId: string;
    /** Where to redirect the browser after the reset: an absolute `http` or `https` URL without user and password. */
    redirectUri: string;
    /** The sender's display name: at most 200 characters, without line breaks. */
    fromName?: string;
    /** The subject: at most 200 characters, without line breaks. */
    subject?: string;
  }

  /** An MFA factor to remove. */
  interface UnenrollMfaInput {
    /** The id of the user. */
    userId: string;
    /** One of the user's `mfaFactorIds`. */
    mfaFactorId: string;
  }

  /** The `code` of a `ClientError`. */
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
    | "ABORTED"
    | "INTERNAL";

  /**
   * The error that a failed call rejects with. The message has the format of the platform:
   *
   *     deleteUser failed: code: 'Some requested entity was not found', message: "user not found: ghost"
   *
   * A type only: there is no class of this name at run time, so `instanceof` cannot test for it. In TypeScript:
   *
   *     const { code } = error as tailor.idp.ClientError;
   */
  interface ClientError extends Error {
    readonly code: ErrorCode;
  }

  /**
   * Manages the users of one namespace. Clients are cheap to create. Any number of calls can be made at once: 1,000 run at a time,
   * and the others wait for their turn, in order. An execution makes at most 100,000 calls, unless its host sets another limit; each
   * further call rejects with `RESOURCE_EXHAUSTED`.
   */
  class Client {
    /** Throws a `TypeError` if the namespace is not valid. */
    constructor(config: ClientConfig | string);

    /** Lists users, one page at a time, in order of creation. */
    users(options?: ListUsersOptions): Promise<ListUsersResponse>;

    /**
     * Returns the user with this id. If there is none, rejects with `NOT_FOUND` for an invoker who may read every user, else
     * with `PERMISSION_DENIED`, as do all methods for one user.
     */
    user(userId: string): Promise<User>;

    /** Returns the user with this name, in any spelling. Rejects as `user` if there is none. */
    userByName(name: string): Promise<User>;

    /** Creates a user and returns it. Rejects with `ALREADY_EXISTS` if the name is taken. */
    createUser(input: CreateUserInput): Promise<User>;

    /** Changes a user and returns the updated user, even if the invoker may not read the user. */
    updateUser(input: UpdateUserInput): Promise<User>;

    /** Deletes a user. Resolves to `true`. */
    deleteUser(userId: string): Promise<boolean>;

    /**
     * Queues a password-reset mail. Resolves to `true` once it is queued. Rejects with `FAILED_PRECONDITION` if the user is
     * disabled or has a name that is not an e-mail address.
     */
    sendPasswordResetEmail(input: SendPasswordResetEmailInput): Promise<boolean>;

    /** Removes an MFA factor from a user. Resolves to `true`. */
    unenrollMfa(input: UnenrollMfaInput): Promise<boolean>;
  }
}

declare namespace tailor.context {
  /** The user or machine user on whose behalf the function runs. */
  interface Invoker {
    /** The id of the user or machine user. */
    id: string;
    type: "user" | "machine_user";
    workspaceId: string;
    /** The ids of the attributes. */
    attributes: string[];
    /** The attributes by key, as permission policies see them. */
    attributeMap: Record<string, unknown>;
  }

  /** Returns the invoker. `null` if the function runs for an anonymous user. */
  function getInvoker(): Invoker | null;
}
