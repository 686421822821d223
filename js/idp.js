// Defines `tailor`: the class of the client with its private namespace, and the context. Rust reads and validates the arguments and
// creates the promise, so that no builtin that a script can replace is involved.

import { primordials } from "ext:core/mod.js";
import {
  op_context_invoker,
  op_idp_client_namespace,
  op_idp_create_user,
  op_idp_delete_user,
  op_idp_send_password_reset_email,
  op_idp_unenroll_mfa,
  op_idp_update_user,
  op_idp_user,
  op_idp_user_by_name,
  op_idp_users,
} from "ext:core/ops";
import { makeUser } from "ext:tailor_idp/user.js";

const { ObjectDefineProperty } = primordials;

const isObject = (value) => typeof value === "object" && value !== null;

class Client {
  #namespace;

  constructor(config) {
    const namespace = isObject(config) ? config.namespace : config;
    this.#namespace = op_idp_client_namespace(config, namespace);
  }

  /** The namespace of a client. `undefined` for anything else: the op then rejects the call. */
  static #of(client) {
    return isObject(client) && #namespace in client ? client.#namespace : undefined;
  }

  users(options) {
    return op_idp_users(Client.#of(this), makeUser, options);
  }

  user(userId) {
    return op_idp_user(Client.#of(this), makeUser, userId);
  }

  userByName(name) {
    return op_idp_user_by_name(Client.#of(this), makeUser, name);
  }

  createUser(input) {
    return op_idp_create_user(Client.#of(this), makeUser, input);
  }

  updateUser(input) {
    return op_idp_update_user(Client.#of(this), makeUser, input);
  }

  deleteUser(userId) {
    return op_idp_delete_user(Client.#of(this), makeUser, userId);
  }

  sendPasswordResetEmail(input) {
    return op_idp_send_password_reset_email(Client.#of(this), makeUser, input);
  }

  unenrollMfa(input) {
    return op_idp_unenroll_mfa(Client.#of(this), makeUser, input);
  }
}

ObjectDefineProperty(globalThis, "tailor", {
  __proto__: null,
  value: {
    idp: { Client },
    context: { getInvoker: () => op_context_invoker() },
  },
  writable: true,
  enumerable: false,
  configurable: true,
});
