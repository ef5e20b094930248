/**
 * What engines of clients have in common when they are fuzzed: a server that says anything, real, spoilt,
 * again or too late, from its address or from another one. Always true besides what is true of all engines:
 * nothing is sent but to the addresses of the server, and only what a client may say.
 */
import { assert } from "@std/assert";
import type { Engine, Peer } from "../../../lib/protocols/engine.ts";
import { peerAt } from "../../support/recorder.ts";
import { DatagramFuzzer } from "./engines.ts";

/** The addresses of one server. */
export const SERVERS: readonly Peer[] = [
  peerAt("192.0.2.100:25005"),
  peerAt("[2001:db8::1]:25005"),
];
/** Somebody else. */
export const FOREIGN: Peer = peerAt("192.0.2.9:1");
const KEPT_MAX = 50;

/** A client, with a server that may say anything. */
export abstract class ClientFuzzer<Event> extends DatagramFuzzer<Event> {
  abstract override engine: Engine<Event>;
  readonly peers: readonly Peer[] = [...SERVERS, FOREIGN];
  readonly #kept: Uint8Array[] = [];

  /** What a server may say. */
  protected abstract message(): Uint8Array;

  /** The program asks for a server. */
  protected abstract connect(): void;

  /** The program does something else. */
  protected act(): void {}

  protected override begin(): void {
    this.connect();
  }

  readonly actions = {
    say: (): void => this.receiveLater(this.#made(), this.#from()),
    mutated: (): void => this.receive(this.chance.mutated(this.#made()), this.#from()),
    noise: (): void => this.receive(this.chance.noise(), this.#from()),
    again: (): void => this.receive(this.chance.pick(this.#kept) ?? this.#made(), this.#from()),
    act: (): void => this.act(),
    connect: (): void => this.chance.is(0.1) ? this.connect() : undefined,
  };

  #made(): Uint8Array {
    const bytes = this.message();
    if (this.#kept.length < KEPT_MAX) this.#kept.push(bytes);
    else this.#kept[this.chance.whole(KEPT_MAX)] = bytes;
    return bytes;
  }

  #from(): Peer {
    return this.chance.is(0.9) ? SERVERS[0]! : this.chance.pick(this.peers);
  }

  protected onSent(peer: Peer, bytes: Uint8Array): void {
    assert(SERVERS.includes(peer), `something to ${peer.address}`);
    this.onSaid(bytes);
  }

  /** What the client says. */
  protected abstract onSaid(bytes: Uint8Array): void;

  protected check(): void {
    assert(!this.engine.remembers(FOREIGN), "a stranger is remembered");
    assert(SERVERS.every((server) => this.engine.remembers(server)), "the server is not");
  }

  protected finish(): void {}
}
