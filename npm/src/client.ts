// The class `tailor.idp.Client`, and its errors.

import { native } from "./native.js";
import type { idp } from "./tailor.js";

/** The methods of a client. */
export const METHODS = [
  "users",
  "user",
  "userByName",
  "createUser",
  "updateUser",
  "deleteUser",
  "sendPasswordResetEmail",
  "unenrollMfa",
] as const satisfies readonly (keyof idp.Client)[];

export type Method = (typeof METHODS)[number];

/** The class of clients, as `tailor.idp.Client` in a function. */
export type ClientConstructor = new (config: idp.ClientConfig | string) => idp.Client;

/** Any function: where a stack trace begins is the frame below it. */
export type Caller = (...args: never[]) => unknown;

/** A call of a method on a client of the namespace. */
export type Call = (method: Method, namespace: string, args: unknown[], caller: Caller) => Promise<unknown>;

export interface Failure {
  code: idp.ErrorCode;
  message: string;
  cause?: string;
}

/** What the addon answers. */
export type Answer = { value: unknown; error?: never } | { error: Failure };

const property = (value: unknown) => ({ value, writable: true, enumerable: false, configurable: true });

/** An error object with the stack of who called `caller`. */
export function callSite(caller: Caller): Error {
  const error = new Error();
  Error.captureStackTrace(error, caller);
  return error;
}

/** Makes the error of a failed call of the error object that was created when it was made. */
export function clientError(site: Error, { code, message, cause }: Failure): idp.ClientError {
  Object.defineProperties(site, { message: property(message), code: property(code) });
  if (cause !== undefined) Object.defineProperty(site, "cause", property(cause));
  return site as idp.ClientError;
}

/** The error of a call of `method` with a code and a detail in the form of the platform. */
export function failure(method: string, code: string, detail: string): Failure {
  const answer = native.failure(method, code, detail);
  if (answer === null)
    throw new TypeError(`there is no error code ${JSON.stringify(code)}: use one such as "UNAVAILABLE"`);
  return (JSON.parse(answer) as { error: Failure }).error;
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

function typeName(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** Longer texts are refused by their length alone. */
const MAX_NAMESPACE = 1024;

function checkNamespace(config: unknown): string {
  const refuse = (text: string): never => {
    throw new TypeError(`tailor.idp.Client: ${text}`);
  };
  const namespace = isObject(config) ? (config as { namespace?: unknown }).namespace : config;
  if (typeof namespace !== "string") {
    return isObject(config) && !Array.isArray(config)
      ? refuse(`namespace must be a string, got ${typeName(namespace)}`)
      : refuse(`the argument must be { namespace: string }, got ${typeName(config)}`);
  }
  if (namespace.length > MAX_NAMESPACE) refuse(`a namespace name is at most 63 characters: got ${namespace.length}`);
  const fault = native.namespaceFault(namespace);
  return fault === null ? namespace : refuse(fault);
}

/** A class of clients whose methods make calls. */
export function clientClass(call: Call): ClientConstructor {
  class Client {
    readonly #namespace: string;

    constructor(config: unknown) {
      this.#namespace = checkNamespace(config);
    }

    static call(client: unknown, method: Method, args: unknown[], caller: Caller): Promise<unknown> {
      if (!isObject(client) || !(#namespace in client)) {
        const text = `tailor.idp.Client: ${method} was called on something that is no client`;
        return Promise.reject(new TypeError(text));
      }
      return call(method, client.#namespace, args, caller);
    }
  }
  // Not part of the class that scripts see.
  const { call: invoke } = Client;
  delete (Client as Partial<typeof Client>).call;
  for (const method of METHODS) {
    const caller = {
      [method](this: unknown, ...args: unknown[]) {
        return invoke(this, method, args, caller);
      },
    }[method] as Caller;
    Object.defineProperty(Client.prototype, method, property(caller));
  }
  return Client as unknown as ClientConstructor;
}
