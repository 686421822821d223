// `tailor.idp.Client`: the class, its private namespace, and the stack of a rejection. Every rule is Rust's: what a
// script hands in is read here, property by property, and goes to the ops as it is.

import { core, primordials } from "ext:core/mod.js";
import {
  op_idp_client_namespace,
  op_idp_create_user,
  op_idp_delete_user,
  op_idp_script_stack,
  op_idp_send_password_reset_email,
  op_idp_unenroll_mfa,
  op_idp_update_user,
  op_idp_user,
  op_idp_user_by_name,
  op_idp_users,
} from "ext:core/ops";

const { promiseIdSymbol } = core;
const {
  ArrayIsArray,
  Error,
  ErrorCaptureStackTrace,
  ObjectDefineProperty,
  ObjectFreeze,
  SafeArrayIterator,
} = primordials;

const NO_FIELDS = ObjectFreeze({ __proto__: null });

/** The object to read fields from. What is none has no fields, and is refused by the op. */
function fieldsOf(value) {
  return typeof value === "object" && value !== null ? value : NO_FIELDS;
}

/** An array of the same elements that reading cannot surprise. What is none is refused by the op. */
function elementsOf(value) {
  return ArrayIsArray(value) ? [...new SafeArrayIterator(value)] : value;
}

/**
 * What an op answers, or a rejection that points at the script's line.
 *
 * An op that fails at once has noted the line. One that is still under way comes back when the script's call is long
 * gone, so the line is noted here; the wait hides what that costs.
 */
async function settle(answer) {
  let site;
  if (answer[promiseIdSymbol] !== undefined) {
    site = new Error();
    ErrorCaptureStackTrace(site, settle);
  }
  try {
    return await answer;
  } catch (failure) {
    throw rejection(failure, site ?? failure);
  }
}

/** The error that a script gets for an op's failure, made at `site`. */
function rejection(failure, site) {
  const { code, message } = failure;
  if (code === undefined) {
    return failure;
  }
  const error = new Error(message);
  hidden(error, "code", code);
  hidden(site, "message", message);
  const { stack } = site;
  if (typeof stack === "string") {
    hidden(error, "stack", op_idp_script_stack(stack));
  }
  return error;
}

function hidden(object, key, value) {
  ObjectDefineProperty(object, key, {
    __proto__: null,
    value,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}

class Client {
  #namespace;

  constructor(config) {
    const namespace = typeof config === "string" ? config : fieldsOf(config).namespace;
    try {
      this.#namespace = op_idp_client_namespace(config, namespace);
    } catch (error) {
      ErrorCaptureStackTrace(error, Client);
      throw error;
    }
  }

  async users(options) {
    const { first, after, query } = fieldsOf(options);
    const { ids, names } = fieldsOf(query);
    return await settle(
      op_idp_users(this.#namespace, options, first, after, query, elementsOf(ids), elementsOf(names)),
    );
  }

  async user(userId) {
    return await settle(op_idp_user(this.#namespace, userId));
  }

  async userByName(name) {
    return await settle(op_idp_user_by_name(this.#namespace, name));
  }

  async createUser(input) {
    const { name, password, disabled } = fieldsOf(input);
    return await settle(op_idp_create_user(this.#namespace, input, name, password, disabled));
  }

  async updateUser(input) {
    const { id, name, password, clearPassword, disabled } = fieldsOf(input);
    return await settle(
      op_idp_update_user(this.#namespace, input, id, name, password, clearPassword, disabled),
    );
  }

  async deleteUser(userId) {
    return await settle(op_idp_delete_user(this.#namespace, userId));
  }

  async sendPasswordResetEmail(input) {
    const { userId, redirectUri, fromName, subject } = fieldsOf(input);
    return await settle(
      op_idp_send_password_reset_email(this.#namespace, input, userId, redirectUri, fromName, subject),
    );
  }

  async unenrollMfa(input) {
    const { userId, mfaFactorId } = fieldsOf(input);
    return await settle(op_idp_unenroll_mfa(this.#namespace, input, userId, mfaFactorId));
  }
}

hidden(globalThis, "tailor", { idp: { Client } });
