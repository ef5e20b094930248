/**
 * Permissions that are given back: what a process may not do any more, nobody can make it do. Which part of
 * the program needs what, and until when, stands here alone.
 */
import { type FileNeed, leaveFor } from "./permission.ts";

/** What parts of the program need. All else that Deno knows is given back at once. */
export type Privilege = "net" | "read" | "run" | "sys" | "write";

/** What is given back, all of it or some. `run` is asked for by nobody but the firewall of macOS. */
const ALL = ["env", "ffi", "import", "net", "read", "run", "sys", "write"] as const;

/** What each part needs for as long as it is at work, besides its files. */
const NEEDS = {
  /** Ports and connections are opened; what is open over TCP needs nothing any more. */
  opening: ["net"],
  /** Deno asks for each datagram that is sent. */
  udp: ["net"],
  /** Listens again after the system had no connection left for it. */
  dashboard: ["net"],
  /** Asks routers, and tells which of the addresses of this computer it is about. */
  upnp: ["net", "sys"],
  /** Warns whoever bans this computer, or its router: laptops change their addresses. */
  banning: ["sys"],
  /** Tells the other player the address that this computer has in its own network. */
  chat: ["net", "sys"],
} as const satisfies Record<string, readonly Privilege[]>;

/** A part of the program that needs something. */
export type Feature = keyof typeof NEEDS;

/** Whether this process is netsync's own. */
let isOwn = false;

/**
 * Says that this process is netsync's: from now on {@link keepFor} gives permissions back. In the process of
 * somebody else, such as a test, it never does, for they cannot be had again.
 */
export function ownProcess(): void {
  isOwn = true;
}

/** What these parts and these files need. */
export function privilegesFor(
  features: Iterable<Feature>,
  files: readonly FileNeed[],
): ReadonlySet<Privilege> {
  return new Set([
    ...[...features].flatMap((feature): readonly Privilege[] => NEEDS[feature]),
    ...files.flatMap(({ use }) => leaveFor(use)),
  ]);
}

/**
 * Gives back, for good, every permission but those that these parts and these files need.
 *
 * Deno cannot keep a part of a permission: who may read one file may read as much as before.
 *
 * @param files Those that will be opened or replaced later on.
 * @returns What there is left, in the words of `--allow-...`.
 */
export function keepFor(features: Iterable<Feature>, files: readonly FileNeed[] = []): string[] {
  const kept: ReadonlySet<string> = privilegesFor(features, files);
  for (const name of isOwn ? ALL : []) {
    // Code that is not on this disk is fetched by that leave, even its own.
    const isElsewhere = name === "import" && !import.meta.url.startsWith("file:");
    if (!kept.has(name) && !isElsewhere) Deno.permissions.revokeSync({ name });
  }
  return ALL.filter((name) => Deno.permissions.querySync({ name }).state === "granted");
}
