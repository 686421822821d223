// Reads the arguments of client methods, with the checks and texts of a function (src/extension/input.rs).

import type { Method } from "./client.js";

/** A wrong argument: the call rejects with INVALID_ARGUMENT and this text. */
export class InvalidArgument {
  constructor(readonly detail: string) {}
}

/** The maximum length of a text. The rules have lower limits, with texts of their own. */
const MAX_TEXT = 1024 * 1024;
/** The maximum number of entries of a filter. */
const MAX_ENTRIES = 1000;

type Read<T> = (field: string, value: unknown) => T;

function typeName(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "undefined";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function wrongType(field: string, expected: string, value: unknown): never {
  throw new InvalidArgument(`${field} must be ${expected}, got ${typeName(value)}`);
}

const string: Read<string> = (field, value) => {
  if (typeof value !== "string") wrongType(field, "a string", value);
  if (value.length > MAX_TEXT) {
    throw new InvalidArgument(`${field} is far too long: ${value.length} characters`);
  }
  if (!value.isWellFormed()) {
    throw new InvalidArgument(`${field} must be well-formed text: it has a lone surrogate`);
  }
  return value;
};

const nullableString: Read<string | undefined> = (field, value) => (value === null ? undefined : string(field, value));

const boolean: Read<boolean> = (field, value) => {
  if (typeof value !== "boolean") wrongType(field, "a boolean", value);
  return value;
};

const integer: Read<number> = (field, value) => {
  if (typeof value !== "number") wrongType(field, "an integer", value);
  if (!Number.isSafeInteger(value)) throw new InvalidArgument(`${field} must be an integer, got ${value}`);
  return value;
};

const strings: Read<string[]> = (field, value) => {
  if (!Array.isArray(value)) wrongType(field, "an array of strings", value);
  const { length } = value;
  if (length > MAX_ENTRIES) {
    throw new InvalidArgument(`${field} must have at most ${MAX_ENTRIES} entries: got ${length}`);
  }
  let left = MAX_TEXT;
  return Array.from({ length }, (_, index) => {
    const text = string(`${field}[${index}]`, value[index]);
    left -= Buffer.byteLength(text);
    if (left < 0) throw new InvalidArgument(`${field} is far too long`);
    return text;
  });
};

const NONE = Object.freeze({});

/** An object argument. Each field is read once, in the order of the calls. */
class Fields {
  readonly #object: Record<string, unknown>;

  constructor(
    argument: string,
    value: unknown,
    readonly prefix = "",
  ) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) wrongType(argument, "an object", value);
    this.#object = value as Record<string, unknown>;
  }

  required<T>(field: string, read: Read<T>): T {
    return read(this.prefix + field, this.#object[field]);
  }

  optional<T>(field: string, read: Read<T>): T | undefined {
    const value = this.#object[field];
    return value === undefined ? undefined : read(this.prefix + field, value);
  }

  nested(field: string): Fields {
    const value = this.#object[field];
    return new Fields(field, value === undefined ? NONE : value, `${field}.`);
  }
}

/** For each method, the input that the addon takes. */
export const readInput: Record<Method, (argument: unknown) => unknown> = {
  users(argument) {
    const options = new Fields("options", argument === undefined ? NONE : argument);
    // Read before the others, as in a function.
    const query = options.nested("query");
    return {
      first: options.optional("first", integer),
      after: options.optional("after", nullableString),
      ids: query.optional("ids", strings),
      names: query.optional("names", strings),
    };
  },
  user: (argument) => string("userId", argument),
  userByName: (argument) => string("name", argument),
  createUser(argument) {
    const input = new Fields("input", argument);
    return {
      name: input.required("name", string),
      password: input.optional("password", string),
      disabled: input.optional("disabled", boolean),
    };
  },
  updateUser(argument) {
    const input = new Fields("input", argument);
    return {
      id: input.required("id", string),
      name: input.optional("name", string),
      password: input.optional("password", string),
      clearPassword: input.optional("clearPassword", boolean),
      disabled: input.optional("disabled", boolean),
    };
  },
  deleteUser: (argument) => string("userId", argument),
  sendPasswordResetEmail(argument) {
    const input = new Fields("input", argument);
    return {
      userId: input.required("userId", string),
      redirectUri: input.required("redirectUri", string),
      fromName: input.optional("fromName", string),
      subject: input.optional("subject", string),
    };
  },
  unenrollMfa(argument) {
    const input = new Fields("input", argument);
    return {
      userId: input.required("userId", string),
      mfaFactorId: input.required("mfaFactorId", string),
    };
  },
};
