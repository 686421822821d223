// An identity provider inside Node.js.

import { AsyncLocalStorage } from "node:async_hooks";
import { fileURLToPath } from "node:url";
import {
  type Answer,
  type Caller,
  type Call,
  type ClientConstructor,
  callSite,
  clientClass,
  clientError,
  failure,
} from "./client.js";
import { InvalidArgument, readInput } from "./input.js";
import { type NativeAnswer, type NativeIdp, type NativeSnapshot, native } from "./native.js";
import type { Settings } from "./settings.js";
import type { context, idp } from "./tailor.js";

/** An invoker as tests write it. What is left out is empty. */
export type InvokerInput = Pick<context.Invoker, "id" | "type"> & Partial<context.Invoker>;

/** A committed change of a user. */
export interface UserEvent {
  /** Sorts in commit order. */
  id: string;
  type: "idp.user.created" | "idp.user.updated" | "idp.user.deleted";
  /** RFC 3339 in UTC. */
  time: string;
  workspaceId: string;
  namespaceName: string;
  userId: string;
}

/** A password-reset mail. */
export interface Mail {
  /** Higher is newer. */
  id: number;
  /** The address: the user's name. */
  to: string;
  userId: string;
  /** The sender's name: the call's, else the namespace's. */
  fromName: string;
  /** The subject: the call's, else the namespace's. */
  subject: string;
  redirectUri: string;
  /** `ended`: not sent, since its link would be of no use. */
  state: "queued" | "sending" | "sent" | "dead" | "ended";
  /** RFC 3339 in UTC. */
  queuedAt: string;
  /** The link in the mail. Only of users in memory. */
  link?: string;
  /** The token of the link, for `resetPassword`. Only of users in memory. */
  token?: string;
}

/** A right password. */
export interface SignIn {
  user: idp.User;
  /** What MFA requires before the user is signed in. */
  mfa: "not-due" | "code-due" | "enrollment-due";
}

/** The content of an identity provider at one moment. Opaque. */
export class Snapshot {
  /** @internal */
  constructor(readonly native: NativeSnapshot) {
    Object.defineProperty(this, "native", { enumerable: false });
  }
}

/** Options of `createIdp`. */
export interface CreateIdpOptions {
  /**
   * The settings: the path of a `tailor-idp.toml`, or an object with the keys of one. The default is the namespace `builtin-idp`,
   * open to everybody.
   */
  config?: string | URL | Settings;
  /**
   * Where the users are. `"memory"`, the default: in memory, whatever the settings say, so that a test never changes a database.
   * `"settings"`: where the settings say.
   */
  store?: "memory" | "settings";
  /**
   * The cost of password hashes. `"fast"`, the default if all users are in memory: microseconds. `"standard"`: as the program.
   */
  passwordHash?: "fast" | "standard";
}

/** `tailor` as scripts see it. */
export interface Tailor {
  idp: { Client: ClientConstructor };
  context: { getInvoker(): context.Invoker | null };
}

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

function milliseconds(time: string | number): number {
  if (typeof time === "number" && Number.isFinite(time) && time >= 0) return time;
  const [, number, unit] = /^(\d+)\s*(ms|s|m|h|d)$/.exec(String(time)) ?? [];
  if (number === undefined || unit === undefined) {
    throw new TypeError(
      `advance takes a time such as "2h" (ms, s, m, h or d), or milliseconds: got ${JSON.stringify(time)}`,
    );
  }
  return Number(number) * UNITS[unit as keyof typeof UNITS];
}

/** The invoker as scripts see it, and as the addon takes it. */
interface Principal {
  invoker: context.Invoker | null;
  json: string | null;
}

const ANONYMOUS: Principal = { invoker: null, json: null };

function principal(given: InvokerInput | null): Principal {
  if (given === null) return ANONYMOUS;
  if (typeof given !== "object") throw new TypeError(`the invoker must be an object or null: got ${typeof given}`);
  const { id, type, workspaceId = "", attributes = [], attributeMap = {}, ...rest } = given;
  const json = JSON.stringify({ id, type, workspaceId, attributes, attributeMap, ...rest });
  const fault = native.invokerFault(json);
  if (fault !== null) throw new TypeError(`the invoker is not valid: ${fault}`);
  return { invoker: JSON.parse(json) as context.Invoker, json };
}

/** An identity provider: namespaces of users under their rules. Needs no closing. */
export class Idp {
  readonly #native: NativeIdp;
  readonly #scope = new AsyncLocalStorage<Principal>();
  #principal = ANONYMOUS;

  /** The class of clients: `new idp.Client({ namespace: "builtin-idp" })`. */
  readonly Client: ClientConstructor;

  /** The value for `globalThis.tailor`. */
  readonly tailor: Tailor;

  /** @internal */
  constructor(opened: NativeIdp) {
    this.#native = opened;
    this.Client = clientClass(this.call);
    this.tailor = {
      idp: { Client: this.Client },
      context: { getInvoker: () => structuredClone(this.#current.invoker) },
    };
  }

  get #current(): Principal {
    return this.#scope.getStore() ?? this.#principal;
  }

  /** On whose behalf calls are made; `null`, the default, is an anonymous user. */
  get invoker(): context.Invoker | null {
    return structuredClone(this.#current.invoker);
  }

  set invoker(invoker: InvokerInput | null) {
    this.#principal = principal(invoker);
  }

  /** Runs `work` on behalf of an invoker: all calls that it makes, also after an `await`. */
  withInvoker<T>(invoker: InvokerInput | null, work: () => T): T {
    return this.#scope.run(principal(invoker), work);
  }

  /** The names of the namespaces, sorted. */
  get namespaces(): string[] {
    return this.#native.namespaces();
  }

  /** The time of the identity provider: the system's, and what `advance` added. */
  get now(): Date {
    return new Date(this.#native.now());
  }

  /** Moves the clock forward, by a time such as `"2h"` or by milliseconds. Reset links, limits and codes follow it. */
  advance(time: string | number): void {
    this.#native.advance(milliseconds(time));
  }

  /** Returns to the state after `createIdp`: no users, mails and events, no invoker, the system's time. */
  reset(): void {
    this.#native.reset();
    this.#principal = ANONYMOUS;
  }

  /** Copies all users, mails and events, and the time. */
  snapshot(): Snapshot {
    return new Snapshot(this.#native.snapshot());
  }

  /** Replaces all users, mails and events, and the time, by those of a snapshot of this identity provider. */
  restore(snapshot: Snapshot): void {
    if (!(snapshot instanceof Snapshot)) throw new TypeError("restore takes what snapshot() returned");
    this.#native.restore(snapshot.native);
  }

  /** Creates users, whatever the permission allows. Returns them in order. */
  async seed(namespace: string, users: readonly idp.CreateUserInput[]): Promise<idp.User[]> {
    const created: idp.User[] = [];
    for (const { name, password, disabled = false } of users) {
      const answer = this.#native.seed(namespace, name, password, disabled);
      created.push((await this.#answered(answer, this.seed)) as idp.User);
    }
    return created;
  }

  /** The events of a namespace, oldest first. Empty unless its settings have `publishUserEvents`. */
  async events(namespace: string): Promise<UserEvent[]> {
    return (await this.#answered(this.#native.events(namespace), this.events)) as UserEvent[];
  }

  /**
   * The password-reset mails of a namespace, oldest first. Of users in memory, this is the mailbox: mails that are due are delivered
   * by this call. Of users elsewhere, it lists what is queued and sends nothing.
   */
  async mails(namespace: string): Promise<Mail[]> {
    return (await this.#answered(this.#native.mails(namespace), this.mails)) as Mail[];
  }

  /** The user with this name, if the password is right; else `null`. */
  async signIn(namespace: string, name: string, password: string): Promise<SignIn | null> {
    return (await this.#answered(this.#native.signIn(namespace, name, password), this.signIn)) as SignIn | null;
  }

  /** Sets a password with the token of a mail. Returns where the browser goes afterwards. */
  async resetPassword(namespace: string, token: string, password: string): Promise<string | null> {
    const answer = this.#native.resetPassword(namespace, token, password);
    return (await this.#answered(answer, this.resetPassword)) as string | null;
  }

  /** Enrols an MFA factor of the user and confirms it. Returns its id and its secret, in base32. */
  async enrollMfa(namespace: string, userId: string): Promise<{ mfaFactorId: string; secret: string }> {
    const answer = this.#native.enrollMfa(namespace, userId);
    return (await this.#answered(answer, this.enrollMfa)) as { mfaFactorId: string; secret: string };
  }

  /** @internal Makes a call of a client. */
  readonly call: Call = (method, namespace, args, caller) => {
    let input: unknown;
    try {
      input = readInput[method](args[0]);
    } catch (error) {
      // A getter of the argument may have thrown anything.
      if (!(error instanceof InvalidArgument)) return Promise.reject(error);
      return Promise.reject(clientError(callSite(caller), failure(method, "INVALID_ARGUMENT", error.detail)));
    }
    const answer = this.#native.call(namespace, this.#current.json, JSON.stringify({ method, input }));
    return this.#answered(answer, caller);
  };

  /** The value of an answer. An error has the stack of who called `caller`. */
  #answered(answer: NativeAnswer, caller: Caller): Promise<unknown> {
    if (typeof answer === "string") {
      const parsed = JSON.parse(answer) as Answer;
      return parsed.error ? Promise.reject(clientError(callSite(caller), parsed.error)) : Promise.resolve(parsed.value);
    }
    // Captured now: the caller's stack is gone when the answer arrives.
    const site = callSite(caller);
    return answer.then((text) => {
      const parsed = JSON.parse(text) as Answer;
      if (parsed.error) throw clientError(site, parsed.error);
      return parsed.value;
    });
  }
}

/** Opens an identity provider: by default with its users in memory. */
export async function createIdp(options: CreateIdpOptions = {}): Promise<Idp> {
  const { config, store = "memory", passwordHash, ...unknown } = options;
  const [name] = Object.keys(unknown);
  if (name !== undefined) {
    throw new TypeError(`createIdp has no option ${JSON.stringify(name)}: it has config, store and passwordHash`);
  }
  const settings =
    typeof config === "string"
      ? { file: config }
      : config instanceof URL
        ? { file: fileURLToPath(config) }
        : { settings: config };
  const opened = native.open(JSON.stringify({ ...settings, store, passwordHash }));
  try {
    return new Idp(await opened);
  } catch (error) {
    // Of the caller, not of the addon.
    const refused = new Error((error as Error).message);
    Error.captureStackTrace(refused, createIdp);
    throw refused;
  }
}
