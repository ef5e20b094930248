/** What goes on in a process of services, once a second, for people: in a console or a browser. */

/** Bans, refusals, players: all of them as plain values, which JSON carries as they are. */
export interface Report {
  /**
   * When what is measured was measured, in ms since 1970. Reports of the same time tell of the same second,
   * but of who is in now.
   */
  time: number;
  version: string;
  uptimeMs: number;
  /** What the process holds of memory; undefined where the system does not tell. */
  memoryBytes: number | undefined;
  services: ServiceReport[];
  /** Addresses and networks that are not let in: `192.0.2.7`, `2001:db8::/64`. */
  bans: string[];
}

/** One service in the last second. */
export interface ServiceReport {
  /** Its name in this process, which no other has: `sync`, or `sync:55556`. */
  service: string;
  /** The service with the original in brackets: `sync (SimpleNetSync)`. */
  title: string;
  transport: "UDP" | "TCP";
  port: number;
  /** Datagrams, or pieces over TCP, and their bytes, a second. */
  rates: Rates;
  /** How late what was due was done, in ms; 0 when nothing was due. */
  lateMs: { p50: number; p99: number; max: number };
  /** How many there are. */
  members: number;
  /** The first {@link MEMBERS_MAX} of them, in the order of their coming. */
  roster: MemberReport[];
  /** What else is to be known, with a unit where it has one: `["snapshot", "2899 bytes"]`. */
  figures: [name: string, value: string][];
  /** How many datagrams had no effect since the start, by reason; reasons that never came are left out. */
  refused: Record<string, number>;
}

/** One who is in. */
export interface MemberReport {
  name: string;
  /** Address and port, which no other has at the same service. */
  address: string;
  ip: string;
  /** How long ago it was heard; undefined for one who was not since a restart. */
  heardMs: number | undefined;
  /** Undefined where it is not measured. */
  roundTripMs: number | undefined;
  /** Undefined where the protocol has no states. */
  stateBytes: number | undefined;
  /** What comes from it and goes to it. */
  rates: Rates;
}

/** Traffic a second. */
export interface Rates {
  inHz: number;
  inBytesHz: number;
  outHz: number;
  outBytesHz: number;
}

/** More are counted, but not listed. */
export const MEMBERS_MAX = 1_000;
