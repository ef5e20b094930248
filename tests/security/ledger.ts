/** What a stranger sends in the names of others, and what these are sent for it. */
import { assert } from "@std/assert";
import type { Engine, Outbox, Peer } from "../../lib/protocols/engine.ts";
import { peerAt } from "../support/recorder.ts";

/** Of every datagram: 20 bytes of IP header and 8 of UDP header. */
export const HEADERS_BYTES = 28;

/** So many datagrams with so many bytes, headers not counted. */
export interface Load {
  datagrams: number;
  bytes: number;
}

/** What came of an attack. */
export interface Account {
  /** All that the stranger sent. */
  readonly sent: Load;
  /** What went to the addresses that were forged. */
  readonly toForged: Load;
  /** The most that went to one of them. */
  readonly toOneForged: Load;
  /** What went to others, beyond what they are sent anyway. */
  readonly toOthers: Load;
}

/** With the headers of IP and UDP. */
export function onTheWire({ datagrams, bytes }: Load): number {
  return bytes + HEADERS_BYTES * datagrams;
}

/** So many times as much; 0 where there is nothing. */
export function ratio(out: number, into: number): number {
  return into === 0 ? 0 : out / into;
}

/** A hearer's reaction: what it says to the server at once. */
export type Hearer = (bytes: Uint8Array, stage: Stage) => void;

/** When nothing has come for so long, nothing comes any more. */
const QUIET_MS = 12_000;

/**
 * One server, with virtual time, whom honest players and a stranger talk to. Everything it sends is counted
 * from `begin` on.
 */
export class Stage {
  readonly out: Outbox<never>;
  /** What honest ones do, each time so much has passed. */
  life: { everyMs: number; live: (stage: Stage) => void } | undefined;
  readonly sent: Load = { datagrams: 0, bytes: 0 };
  readonly received = new Map<Peer, Load & { lastAt: number }>();
  readonly #engine: Engine<never>;
  readonly #isForging: boolean;
  readonly #peers = new Map<string, Peer>();
  readonly #forged = new Set<Peer>();
  readonly #hearers = new Map<Peer, Hearer>();
  readonly #heard: [Hearer, Uint8Array][] = [];
  #isHearing = false;
  #isCounting = false;
  #now = 0;
  #livesAt = 0;

  /** @param isForging Without it, everything happens but for what the stranger does. */
  constructor(engine: Engine<never>, isForging: boolean) {
    this.#engine = engine;
    this.#isForging = isForging;
    this.out = {
      send: (peer, bytes): void => this.#count(peer, bytes),
      broadcast: (peers, bytes): void => {
        for (const peer of peers) this.#count(peer, bytes);
      },
      emit: (): void => {},
      backlog: 0,
      unsent: 0,
    };
  }

  get now(): number {
    return this.#now;
  }

  peer(address: string): Peer {
    let peer = this.#peers.get(address);
    if (!peer) this.#peers.set(address, peer = peerAt(address));
    return peer;
  }

  /** From now on somebody honest listens at an address. */
  listen(address: string, hearer: Hearer): void {
    this.#hearers.set(this.peer(address), hearer);
  }

  /** Somebody says something in its own name. */
  say(bytes: Uint8Array, address: string): void {
    this.#engine.receive(bytes, this.peer(address), this.#now, this.out);
    this.#hear();
  }

  /** From now on all is counted. */
  begin(): void {
    this.#isCounting = true;
  }

  /** The stranger says something in the name of an address. */
  forge(bytes: Uint8Array, address: string): void {
    this.#forged.add(this.peer(address));
    if (!this.#isForging) return;
    this.sent.datagrams++;
    this.sent.bytes += bytes.length;
    this.say(bytes, address);
  }

  /** The stranger's datagram of so many bytes makes somebody honest say something about these addresses. */
  provoke(sentBytes: number, bytes: Uint8Array, from: string, about: readonly string[]): void {
    for (const address of about) this.#forged.add(this.peer(address));
    if (!this.#isForging) return;
    this.sent.datagrams++;
    this.sent.bytes += sentBytes;
    this.say(bytes, from);
  }

  /** Time passes, and what is due is done. */
  wait(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const livesAt = this.life ? this.#livesAt : Infinity;
      const next = Math.min(this.#engine.nextDeadline(), livesAt);
      if (next > end) break;
      this.#now = Math.max(next, this.#now);
      if (next === livesAt) this.#live();
      else this.#engine.advance(this.#now, this.out);
      this.#hear();
    }
    this.#now = end;
  }

  /** Time passes; at its end the forged addresses have been sent nothing for a while. */
  waitForSilence(ms = 30_000): void {
    this.wait(ms);
    for (const peer of this.#forged) {
      const { lastAt } = this.received.get(peer) ?? { lastAt: 0 };
      assert(this.#now - lastAt >= QUIET_MS, `${peer.address} is sent something still`);
    }
  }

  /** What it came to, if all went well without the stranger so. */
  accountBeside(calm: Stage): Account {
    const account = { sent: this.sent, toForged: none(), toOneForged: none(), toOthers: none() };
    for (const [peer, load] of this.received) {
      if (this.#forged.has(peer)) {
        add(account.toForged, load);
        if (load.bytes > account.toOneForged.bytes) account.toOneForged = load;
      } else {
        const usual = calm.received.get(calm.peer(peer.address)) ?? none();
        add(account.toOthers, {
          datagrams: Math.max(0, load.datagrams - usual.datagrams),
          bytes: Math.max(0, load.bytes - usual.bytes),
        });
      }
    }
    return account;
  }

  #live(): void {
    this.#livesAt = this.#now + this.life!.everyMs;
    this.life!.live(this);
  }

  #count(peer: Peer, bytes: Uint8Array): void {
    const hearer = this.#hearers.get(peer);
    if (hearer) this.#heard.push([hearer, bytes]);
    if (!this.#isCounting) return;
    const load = this.received.get(peer) ?? { ...none(), lastAt: 0 };
    this.received.set(peer, load);
    add(load, { datagrams: 1, bytes: bytes.length });
    load.lastAt = this.#now;
  }

  /** Those who listen answer when the server has said all that it had to say. */
  #hear(): void {
    if (this.#isHearing) return;
    this.#isHearing = true;
    for (let heard; (heard = this.#heard.shift());) heard[0](heard[1], this);
    this.#isHearing = false;
  }
}

function none(): Load {
  return { datagrams: 0, bytes: 0 };
}

function add(sum: Load, more: Load): void {
  sum.datagrams += more.datagrams;
  sum.bytes += more.bytes;
}
