/**
 * Types of the parts of `npm:deno-std` in use: the package ships plain JavaScript. To take @std from
 * JSR instead, change the imports in deno.json and drop this file from `compilerOptions.types`.
 */

declare module "@std/assert" {
  export class AssertionError extends Error {}
  export function assert(condition: unknown, message?: string): asserts condition;
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): void;
  export function assertNotStrictEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertThrows<E extends Error = Error>(
    run: () => unknown,
    // deno-lint-ignore no-explicit-any -- a constructor may take any arguments
    errorClass?: new (...args: any[]) => E,
    messageIncludes?: string,
  ): E;
  export function assertRejects<E extends Error = Error>(
    run: () => PromiseLike<unknown>,
    // deno-lint-ignore no-explicit-any -- a constructor may take any arguments
    errorClass?: new (...args: any[]) => E,
    messageIncludes?: string,
  ): Promise<E>;
  export function fail(message?: string): never;
}

declare module "@std/cli/parse-args" {
  export interface ParseOptions {
    boolean?: string[];
    string?: string[];
    collect?: string[];
    alias?: Record<string, string>;
    stopEarly?: boolean;
    unknown?: (word: string, key?: string, value?: unknown) => unknown;
  }
  export type Args = { _: (string | number)[] } & Record<string, unknown>;
  export function parseArgs(words: readonly string[], options?: ParseOptions): Args;
}

declare module "@std/msgpack" {
  export function decode(bytes: Uint8Array): unknown;
  export function encode(value: unknown): Uint8Array<ArrayBuffer>;
}

declare module "@std/text/closest-string" {
  export function closestString(word: string, candidates: readonly string[]): string;
}

declare module "@std/text/levenshtein-distance" {
  export function levenshteinDistance(a: string, b: string): number;
}
