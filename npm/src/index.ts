// tailor-idp: the identity provider of `tailor.idp` inside Node.js.

import type { context, idp } from "./tailor.js";

export type { ClientConstructor } from "./client.js";
export {
  type CreateIdpOptions,
  createIdp,
  type Idp,
  type InvokerInput,
  type Mail,
  type SignIn,
  type Snapshot,
  type Tailor,
  type UserEvent,
} from "./idp.js";
export type { NamespaceSettings, Permission, Policy, Settings } from "./settings.js";

export type Client = idp.Client;
export type ClientConfig = idp.ClientConfig;
export type ClientError = idp.ClientError;
export type CreateUserInput = idp.CreateUserInput;
export type ErrorCode = idp.ErrorCode;
export type Invoker = context.Invoker;
export type ListUsersOptions = idp.ListUsersOptions;
export type ListUsersResponse = idp.ListUsersResponse;
export type SendPasswordResetEmailInput = idp.SendPasswordResetEmailInput;
export type UnenrollMfaInput = idp.UnenrollMfaInput;
export type UpdateUserInput = idp.UpdateUserInput;
export type User = idp.User;
export type UserQuery = idp.UserQuery;
