/** Two programs that take each other for a client, because somebody wrote in the name of each to the other. */
import { assert } from "@std/assert";
import { seededRandom } from "../../lib/parts/random.ts";
import type { Engine } from "../../lib/protocols/engine.ts";
import { Host, Network, NO_FAULTS } from "../simulation/network.ts";
import type { AnyEvent } from "./speakers.ts";

/** Where the two are: not on one machine, whose own addresses are believed. */
export const ONE = "198.51.100.1:1001";
export const OTHER = "198.51.100.2:1002";

/** Something that hears datagrams and answers without thinking. */
export type Reflex = (bytes: Uint8Array) => readonly Uint8Array[];

/** What they said to each other. */
export interface Exchange {
  datagrams: number;
  bytes: number;
  /** In virtual ms; 0 for never. */
  lastAt: number;
}

/** A network with nothing on it but the two. */
export class Pair {
  readonly network: Network;
  readonly exchange: Exchange = { datagrams: 0, bytes: 0, lastAt: 0 };
  /** How many of the datagrams each sent. */
  readonly said = new Map<string, number>([[ONE, 0], [OTHER, 0]]);
  #isForging = false;

  /** @param datagramsMax More than that is taken for endless, and fails. */
  constructor(delayMs: number, datagramsMax: number, what: string) {
    this.network = new Network({
      random: seededRandom(1),
      faults: { ...NO_FAULTS, delayMs },
      timerLateMs: 0,
      onTransmit: (bytes, from, to): void => {
        if (this.#isForging || !isBetween(from, to)) return;
        this.exchange.datagrams++;
        this.exchange.bytes += bytes.length;
        this.said.set(from, this.said.get(from)! + 1);
        this.exchange.lastAt = this.network.now;
        assert(this.exchange.datagrams <= datagramsMax, `${what}: more than ${datagramsMax}`);
      },
    });
  }

  /** A server at one of the addresses. */
  serve(address: string, engine: Engine<AnyEvent>): Host<AnyEvent> {
    return new Host({ network: this.network, address, engine, sendMs: 0 });
  }

  /** Something at one of the addresses that answers whatever it hears. */
  reflect(address: string, reflex: Reflex): void {
    this.network.bind(address, {
      take: (bytes, from): void => {
        for (const answer of reflex(bytes)) this.network.transmit(answer, address, from);
      },
    });
  }

  /** A third one says something in the name of one of them. */
  forge(bytes: Uint8Array, from: string, to: string): void {
    this.#isForging = true;
    this.network.transmit(bytes, from, to);
    this.#isForging = false;
  }

  wait(ms: number): void {
    this.network.runUntil(this.network.now + ms);
  }
}

function isBetween(from: string, to: string): boolean {
  return (from === ONE && to === OTHER) || (from === OTHER && to === ONE);
}
