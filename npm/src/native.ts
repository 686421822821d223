// The addon: see crates/node.

import { createRequire } from "node:module";

/** Opaque: the content of an identity provider at one moment. */
export interface NativeSnapshot {
  readonly snapshot?: never;
}

/** An answer in JSON, at once where it needs no waiting. */
export type NativeAnswer = string | Promise<string>;

export interface NativeIdp {
  call(namespace: string, invoker: string | null, call: string): NativeAnswer;
  seed(namespace: string, name: string, password: string | undefined, disabled: boolean): NativeAnswer;
  events(namespace: string): NativeAnswer;
  mails(namespace: string): NativeAnswer;
  signIn(namespace: string, name: string, password: string): NativeAnswer;
  resetPassword(namespace: string, token: string, password: string): NativeAnswer;
  enrollMfa(namespace: string, userId: string): NativeAnswer;
  namespaces(): string[];
  now(): number;
  advance(milliseconds: number): void;
  reset(): void;
  snapshot(): NativeSnapshot;
  restore(snapshot: NativeSnapshot): void;
}

interface Native {
  open(options: string): Promise<NativeIdp>;
  namespaceFault(name: string): string | null;
  invokerFault(json: string): string | null;
  failure(method: string, code: string, detail: string): string | null;
}

/** The name of this platform's addon. */
function platform(): string {
  if (process.platform !== "linux") {
    return `${process.platform}-${process.arch}`;
  }
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return `linux-${process.arch}-${header.glibcVersionRuntime === undefined ? "musl" : "gnu"}`;
}

function load(): Native {
  const require = createRequire(import.meta.url);
  const name = platform();
  try {
    return require(`../native/${name}.node`) as Native;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") {
      throw new Error(`tailor-idp has no addon for this platform, ${name}: build the package on it with \`make npm\``);
    }
    throw error;
  }
}

export const native = load();
