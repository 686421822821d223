// Enums, namespaces, parameter properties and the rest of what is more than types.
import type { Missing } from "./missing.ts";

enum Level { Low = 1, High = Low << 2, Name = "n" }
namespace Names { export const first = "ana"; }
class Person<T extends string> {
  private seen?: number;
  constructor(readonly name: T, public level: Level = Level.High) {}
}
type Argument = { email?: string } & Partial<Missing>;
const settings = { a: 1 } satisfies Record<string, number>;
abstract class Base { abstract run(): void; declare x: number; }

export default async (argument: Argument): Promise<unknown> => {
  const person = new Person<string>(Names.first!);
  return { person, settings, level: Level[4], email: argument?.email ?? null, base: typeof Base, e: <any>1 };
};
