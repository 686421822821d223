// The types of settings as an object: the keys of tailor-idp.toml.

/** The user whom a policy compares: the invoker. */
type Operand =
  | string
  | boolean
  | readonly (string | boolean)[]
  | { user: string }
  | { idpUser: "id" | "name" | "disabled" }
  | { oldIdpUser: "id" | "name" | "disabled" }
  | { newIdpUser: "id" | "name" | "disabled" };

/** A policy of a permission. */
export interface Policy {
  /** All must hold. An empty list always matches. */
  conditions: readonly (readonly [Operand, "=" | "!=" | "in" | "not in", Operand])[];
  /** Whether a match allows or denies. The default is `true`. */
  permit?: boolean;
  description?: string;
}

/** The policies of each operation. */
export type Permission = Partial<
  Record<"create" | "read" | "update" | "delete" | "sendPasswordResetEmail" | "unenrollMfa", readonly Policy[]>
>;

/** The settings of a namespace: see docs/settings.md. */
export interface NamespaceSettings {
  /** Where the users are, if the option `store` is `"settings"`. The default is `"memory"`. */
  store?: "memory" | { [kind: string]: unknown };
  /** Who may do what. Without it, nobody may do anything. */
  permission?: "allow-all" | Permission;
  userAuthPolicy?: {
    useNonEmailIdentifier?: boolean;
    allowSelfPasswordReset?: boolean;
    passwordRequireUppercase?: boolean;
    passwordRequireLowercase?: boolean;
    passwordRequireNonAlphanumeric?: boolean;
    passwordRequireNumeric?: boolean;
    passwordMinLength?: number;
    passwordMaxLength?: number;
    allowedEmailDomains?: readonly string[];
    allowGoogleOauth?: boolean;
    allowMicrosoftOauth?: boolean;
    disablePasswordAuth?: boolean;
    enableMfa?: boolean;
    requireMfa?: boolean;
    allowedReturnOrigins?: readonly string[];
    mfaIssuer?: string;
  };
  emailConfig?: { fromName?: string; passwordResetSubject?: string };
  lang?: "en" | "ja";
  publishUserEvents?: boolean;
  workspaceId?: string;
  attemptLimits?: { perUser?: number; perNamespace?: number; minutes?: number };
  resetMailLimit?: { mails?: number; minutes?: number };
}

/** Settings as an object: the keys of `tailor-idp.toml`. */
export interface Settings {
  namespace: { [name: string]: NamespaceSettings };
  reset_page?: { base_url: string };
  [key: string]: unknown;
}
