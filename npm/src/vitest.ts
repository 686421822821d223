// `tailor-idp/vitest`: `tailor.idp` and `tailor.context` for tests, over a real identity provider.
//
// Listed in `setupFiles`, or imported by a setup file, this puts `tailor` on `globalThis` before the modules of a test are loaded.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeEach, type Mock, vi } from "vitest";
import {
  type Caller,
  type Call,
  type ClientConstructor,
  callSite,
  clientClass,
  clientError,
  failure,
  METHODS,
  type Method,
} from "./client.js";
import { type CreateIdpOptions, createIdp, type Idp, type InvokerInput, type Snapshot } from "./idp.js";
import type { context, idp as platform } from "./tailor.js";

export type { CreateIdpOptions, InvokerInput, Mail, SignIn, Snapshot, UserEvent } from "./idp.js";
export type { Settings } from "./settings.js";

/** The mocks of a client's methods: `vi.fn` over the identity provider. */
export type ClientMocks = { [M in Method]: Mock<platform.Client[M]> };

/** A failure for `failNext`. */
export interface PlannedFailure {
  code: platform.ErrorCode;
  /** The detail of the message. The default names `failNext`. */
  message?: string;
}

/** Options of `configure`. */
export interface ConfigureOptions extends CreateIdpOptions {
  /** The users that each test starts with: by namespace, or a function that creates them. */
  seed?: Readonly<Record<string, readonly platform.CreateUserInput[]>> | ((idp: TestIdp) => unknown);
}

/** A call of a client's method. */
export interface RecordedCall {
  method: Method;
  args: unknown[];
  namespace: string;
}

type Resolver = (method: Method, args: unknown[], namespace: string) => unknown;

/** The identity provider of the tests of a worker. */
let current: Idp;
/** Its state before each test. */
let seeded: Snapshot;
/** Whether anything may differ from `seeded`. */
let changed = false;

let failures: { method: Method; failure: PlannedFailure }[] = [];
let queue: unknown[] = [];
let resolver: Resolver | undefined;
let refuses = false;
const calls: RecordedCall[] = [];

/** What the mocks know of the call that they are in: they are called synchronously. */
let caller: Caller | undefined;
let namespace = "";

/** Answers a call: with what the test planned, else by the identity provider. */
function answer(method: Method, args: unknown[], of: string, from: Caller): Promise<unknown> {
  const planned = failures.findIndex((failure) => failure.method === method);
  const [next] = planned < 0 ? [] : failures.splice(planned, 1);
  if (next) {
    const { code, message = `failNext of a test` } = next.failure;
    return Promise.reject(clientError(callSite(from), failure(method, code, message)));
  }
  if (queue.length > 0) return Promise.resolve(queue.shift());
  const resolved = resolver?.(method, method === "users" && args.length === 0 ? [undefined] : args, of);
  if (resolved !== null && resolved !== undefined) return Promise.resolve(resolved);
  if (refuses) return Promise.reject(new Error(`mockIdp({ onUnhandled: "error" }) has no answer to ${of}.${method}`));
  changed = true;
  return current.call(method, of, args, from);
}

const byNamespace = new Map<string, ClientMocks>();

const names = new WeakMap<Mock, string>();

function mocks(implementation: (method: Method) => (...args: unknown[]) => Promise<unknown>, prefix = ""): ClientMocks {
  const mock = (method: Method) => {
    const name = prefix + method;
    const mock = vi.fn(implementation(method)).mockName(name);
    names.set(mock as unknown as Mock, name);
    return [method, mock];
  };
  return Object.fromEntries(METHODS.map(mock)) as unknown as ClientMocks;
}

/** The mocks of the calls in one namespace. */
function mocksOf(name: string): ClientMocks {
  let known = byNamespace.get(name);
  if (!known) {
    known = mocks(
      (method) =>
        (...args) =>
          answer(method, args, name, caller ?? known![method]),
      `${name}.`,
    );
    byNamespace.set(name, known);
  }
  return known;
}

/** The mocks of the calls in all namespaces. */
const all: ClientMocks = mocks(
  (method) =>
    function (this: unknown, ...args) {
      const mock = mocksOf(namespace)[method] as unknown as Mock<(...args: unknown[]) => Promise<unknown>>;
      return mock.apply(this, args);
    },
);

const call: Call = (method, of, args, from) => {
  calls.push({ method, args: method === "users" && args.length === 0 ? [undefined] : [...args], namespace: of });
  [caller, namespace] = [from, of];
  try {
    const answer = (all[method] as unknown as Mock<(...args: unknown[]) => Promise<unknown>>)(...args);
    // The mock handles the rejections of what it returns. Those of a call that nobody awaits fail the test, as they fail a function.
    return answer instanceof Promise ? answer.then((value) => value) : answer;
  } finally {
    caller = undefined;
  }
};

const Client = clientClass(call);

/** All mocks, of all namespaces and of each. */
const everyMock = (): Mock[] =>
  [all, ...byNamespace.values()].flatMap((of) => METHODS.map((method) => of[method] as unknown as Mock));

function forget(): void {
  failures = [];
  queue = [];
  resolver = undefined;
  refuses = false;
  calls.length = 0;
  // A reset forgets the name as well, which messages of failed expectations have.
  for (const mock of everyMock()) mock.mockReset().mockName(names.get(mock) ?? "");
}

/** The identity provider of a test. */
export interface TestIdp
  extends
    ClientMocks,
    Pick<
      Idp,
      | "advance"
      | "enrollMfa"
      | "events"
      | "mails"
      | "namespaces"
      | "now"
      | "resetPassword"
      | "restore"
      | "seed"
      | "signIn"
      | "snapshot"
      | "withInvoker"
    > {
  /** The class `tailor.idp.Client`. */
  readonly Client: ClientConstructor;
  /** On whose behalf the handler runs; `null`, the default, is an anonymous user. */
  get invoker(): context.Invoker | null;
  set invoker(invoker: InvokerInput | null);
  /** The mocks of the calls in one namespace. */
  namespace(name: string): ClientMocks;
  /** Makes the next call of a method fail, without any effect. */
  failNext(method: Method, failure: PlannedFailure): void;
  /** Returns to the state before the test: seeded users alone, no planned failures, no recorded calls, no invoker. */
  reset(): void;
}

const whole = <T extends object, const K extends readonly (keyof Idp)[]>(
  target: T,
  names: K,
): T & Pick<Idp, K[number]> => {
  for (const name of names) {
    Object.defineProperty(target, name, {
      enumerable: true,
      get() {
        const value = current[name] as unknown;
        if (typeof value !== "function") return value;
        changed = true;
        return value.bind(current);
      },
    });
  }
  return target as T & Pick<Idp, K[number]>;
};

/** The identity provider of the test. */
export const idp: TestIdp = whole(
  {
    ...all,
    Client,
    get invoker(): context.Invoker | null {
      return current.invoker;
    },
    set invoker(invoker: InvokerInput | null) {
      changed = true;
      current.invoker = invoker;
    },
    namespace: mocksOf,
    failNext(method: Method, planned: PlannedFailure): void {
      if (!METHODS.includes(method)) throw new TypeError(`failNext: a client has no method ${JSON.stringify(method)}`);
      // A code that does not exist is refused here, rather than by the call.
      failure(method, planned.code, "");
      failures.push({ method, failure: planned });
    },
    reset(): void {
      forget();
      if (!changed) return;
      current.invoker = null;
      current.restore(seeded);
      changed = false;
    },
  },
  [
    "advance",
    "enrollMfa",
    "events",
    "mails",
    "namespaces",
    "now",
    "resetPassword",
    "restore",
    "seed",
    "signIn",
    "snapshot",
    "withInvoker",
  ],
);

/** Runs `work` on behalf of an invoker: all calls that it makes, also after an `await`. */
export const withInvoker = <T>(invoker: InvokerInput | null, work: () => T): T => current.withInvoker(invoker, work);

/** Makes the next call of a method fail, without any effect. */
export const failNext = (method: Method, planned: PlannedFailure): void => idp.failNext(method, planned);

/** Replaces the settings and the users that each test starts with. For a setup file: `await configure({ … })`. */
export async function configure(options: ConfigureOptions = {}): Promise<void> {
  const { seed, store, config = nearestSettings(), ...rest } = options;
  if (store === "settings") {
    throw new TypeError(
      'tailor-idp/vitest keeps users in memory, since each test gets a fresh store: leave out store: "settings"',
    );
  }
  current = await createIdp(config === undefined ? rest : { config, ...rest });
  if (typeof seed === "function") {
    await seed(idp);
  } else {
    for (const [name, users] of Object.entries(seed ?? {})) await current.seed(name, users);
  }
  seeded = current.snapshot();
  changed = true;
  idp.reset();
}

/** The nearest settings file in the working directory or above. */
function nearestSettings(): string | undefined {
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    const file = join(folder, "tailor-idp.toml");
    if (existsSync(file)) return file;
    if (folder === dirname(folder)) return undefined;
  }
}

/** Options of `mockIdp`. */
export interface MockIdpOptions {
  /** What answers a call without a planned result: the identity provider (the default), or an error. */
  onUnhandled?: "fallback" | "error";
}

/** The controls of `mockIdp`. */
export interface MockedIdp extends Disposable {
  /** The class `tailor.idp.Client`, as a mock. */
  readonly Client: Mock<ClientConstructor>;
  /** The calls since the last `clear` or `reset`. */
  readonly calls: RecordedCall[];
  /** The mocks of the calls in one namespace. */
  namespace(name: string): ClientMocks;
  /** Answers calls. Where it returns `null` or `undefined`, the identity provider answers. */
  setResolver(value: Resolver): void;
  /** Answers the next call. */
  enqueueResult(result: unknown): void;
  /** Answers the next calls, in order. */
  enqueueResults(...results: unknown[]): void;
  /** Forgets recorded calls. */
  clear(): void;
  /** Forgets recorded calls and all planned results. */
  reset(): void;
}

/** The controls of the mock in the platform's SDK, over the identity provider. */
export function mockIdp(options: MockIdpOptions = {}): MockedIdp {
  const { tailor } = globalThis as unknown as { tailor: { idp: { Client: unknown } } };
  const before = tailor.idp;
  const construct = function (config: platform.ClientConfig | string) {
    return new Client(config);
  } as unknown as ClientConstructor;
  const MockedClient = vi.fn(construct);
  tailor.idp = { Client: MockedClient };
  const forgetPlans = () => {
    forget();
    refuses = options.onUnhandled === "error";
  };
  forgetPlans();
  return {
    Client: MockedClient,
    calls,
    namespace: mocksOf,
    setResolver: (value) => {
      resolver = value;
    },
    enqueueResult: (result) => {
      queue.push(result);
    },
    enqueueResults: (...results) => {
      queue.push(...results);
    },
    clear: () => {
      calls.length = 0;
      for (const mock of [MockedClient as unknown as Mock, ...everyMock()]) mock.mockClear();
    },
    reset: () => {
      forgetPlans();
      MockedClient.mockReset();
    },
    [Symbol.dispose]: () => {
      forget();
      tailor.idp = before;
    },
  };
}

await configure();
// What an environment of the platform's SDK has put there stays.
const { tailor: present } = globalThis as { tailor?: object };
Object.defineProperty(globalThis, "tailor", {
  value: { ...present, idp: { Client }, context: { getInvoker: () => current.invoker } },
  writable: true,
  enumerable: false,
  configurable: true,
});
beforeEach(() => idp.reset());
