/**
 * One harness for all engines: datagrams or pieces of streams from many peers, at all times, with whole
 * kinds of action missing in some seeds. Always true, whichever the engine:
 *
 * - nothing throws, and after `advance` the next deadline is later;
 * - nothing holds a view of what arrived, and what was handed over is never changed;
 * - who is in is remembered, and has a name; nothing is left of whom it sends away, and all else stays;
 * - a server that goes on from what another one saved has the same members, remembers the same peers, and says
 *   nothing by itself;
 * - when everybody is silent it comes to rest, if it is one that may.
 *
 * What else is true stands with each engine.
 */
import { assert, assertEquals } from "@std/assert";
import type {
  Engine,
  Member,
  Membership,
  Outbox,
  Peer,
  Resumable,
  Saved,
} from "../../../lib/protocols/engine.ts";
import { peerAt } from "../../support/recorder.ts";
import { Chance } from "./chance.ts";
import { nameOf, type Reach, type Tally } from "./reach.ts";
import type { Target } from "./target.ts";

/** Every how many actions what is dear to check is checked. */
const CHECK_EVERY = 20;
const REST_CALLS_MAX = 200_000;
const FAR_JUMP_MS = 1e7;
const STORM_SHARE = 0.03;
const STORM_DATAGRAMS = 3_000;
/** One of so many datagrams that leave is looked at again in the end. */
const WATCHED_SHARE = 0.02;
const WATCHED_MAX = 200;

/** What happens, by name; what an engine has members or can be saved for comes with it. */
export type Actions = Readonly<Record<string, () => void>>;

/** An engine with everything that happens to it in one seed. */
export abstract class Fuzzer<Event, Out> {
  /** Replaced by a restart. */
  abstract engine: Engine<Event, Out>;
  /** Where it says something. */
  abstract readonly out: Out;
  /** Everybody there is. */
  abstract readonly peers: readonly Peer[];
  /** What may happen besides waiting; the first of them always may. */
  abstract readonly actions: Actions;
  /** Each time somebody waits, so many deadlines are met in time. */
  protected readonly deadlinesMax: number = 60;
  protected readonly chance: Chance;
  protected now: number;
  /** Nothing leaves until then. */
  protected stuckUntil = -Infinity;
  /** Nothing may be said now. */
  protected isSilent = false;
  /** Inputs so far. */
  inputs = 0;
  readonly #tally: Tally;
  readonly #getsStuck: boolean;
  readonly #watched: { bytes: Uint8Array; copy: Uint8Array }[] = [];

  constructor(chance: Chance, tally: Tally) {
    this.chance = chance;
    this.#tally = tally;
    this.#getsStuck = chance.is(0.5);
    this.now = chance.pick([0, 1.5, 2 ** 40]);
  }

  /** All of the seed. */
  run(actions: number): number {
    const all = this.#allActions();
    const names = Object.keys(all);
    const kinds = this.chance.some(names, [names[0]!, "wait"], 0.65);
    this.begin();
    for (let action = 0; action < actions; action++) {
      all[this.chance.pick(kinds)]!();
      this.drain();
      this.check();
      if (action % CHECK_EVERY === 0) this.#checkMembers();
    }
    this.stuckUntil = -Infinity;
    this.finish();
    for (const { bytes, copy } of this.#watched) assertEquals(bytes, copy, "it was changed later");
    return this.inputs;
  }

  // ---- what each engine has of its own

  /** Before anything else happens. */
  protected begin(): void {}

  /** After each action: what is always true. */
  protected abstract check(): void;

  /** At the end. */
  protected abstract finish(): void;

  /** A server as it was made first. */
  protected create?(): Engine<Event, Out>;

  /** The server goes on from what another one saved. */
  protected onRestart(): void {}

  /** Who may be sent away. */
  protected get expellable(): readonly Peer[] {
    return this.peers;
  }

  // ---- what engines share

  /** Something arrives. The bytes are written over afterwards. */
  protected receive(datagram: Uint8Array, from: Peer): void {
    const copy = datagram.slice();
    this.inputs++;
    this.engine.receive(copy, from, this.now, this.out);
    copy.fill(this.inputs & 1 ? 0x22 : 0x92);
  }

  /** Something arrives, perhaps a little later. */
  protected receiveLater(datagram: Uint8Array, from: Peer): void {
    if (this.chance.is(0.5)) this.now += this.chance.below(20);
    this.receive(datagram, from);
  }

  /** At times more at once, from everywhere, than is answered in all. */
  protected storm(make: (peer: Peer) => Uint8Array, from: readonly Peer[] = this.peers): void {
    if (!this.chance.is(STORM_SHARE)) return;
    for (let count = 0; count < STORM_DATAGRAMS; count++) {
      const peer = this.chance.pick(from);
      this.receive(make(peer), peer);
    }
  }

  protected advance(): void {
    this.tellTime();
    const deadline = this.engine.nextDeadline();
    assert(deadline > this.now, `the next deadline is ${deadline} after advance(${this.now})`);
  }

  protected tellTime(): void {
    this.engine.advance(this.now, this.out);
  }

  /** When something is due, here or where else time matters. */
  protected nextDeadline(): number {
    return this.engine.nextDeadline();
  }

  /** The program ended: what had not left never will. */
  protected forget(): void {}

  /** What waits leaves, where it does. */
  protected drain(): void {}

  /** Follows the deadlines for a while, on time or late; then time may jump. */
  protected wait(): void {
    const { chance } = this;
    const ms = chance.below(chance.pick([5, 500, 5_000, 50_000]));
    const end = this.now + (chance.is(0.005) ? FAR_JUMP_MS : ms);
    const lateMs = chance.pick([0, 0, 3, 2_000]);
    if (this.#getsStuck && chance.is(0.3)) this.stuckUntil = this.now + chance.below(3_000);
    for (let calls = 0; calls < this.deadlinesMax; calls++) {
      const deadline = this.nextDeadline();
      if (deadline > end) break;
      this.now = Math.max(this.now, deadline) + chance.below(lateMs);
      this.advance();
      this.drain();
    }
    this.now = Math.max(this.now, end);
    if (chance.is(0.5)) this.advance();
  }

  /** Everybody is silent, for so long at most: nothing is due any more. */
  protected rest(ms: number, lateMs = 0): void {
    const end = this.now + ms;
    for (let calls = 0; this.nextDeadline() < Infinity; calls++) {
      assert(calls < REST_CALLS_MAX && this.now < end, "it does not come to rest");
      this.now = Math.max(this.now + lateMs, this.nextDeadline());
      this.advance();
      this.drain();
    }
  }

  /** Counts what was said; some of what was handed over is looked at again in the end. */
  protected saw(name: string, bytes?: Uint8Array): void {
    this.#tally.set(name, (this.#tally.get(name) ?? 0) + 1);
    const isWatched = bytes && this.#watched.length < WATCHED_MAX && this.chance.is(WATCHED_SHARE);
    if (isWatched) this.#watched.push({ bytes, copy: bytes.slice() });
  }

  /** No network has more than it may of those who are somewhere. */
  protected checkNetworks(inPlace: Iterable<Peer>, most: number): void {
    const counts = new Map<string, number>();
    for (const { network } of inPlace) counts.set(network, (counts.get(network) ?? 0) + 1);
    for (const [network, count] of counts) assert(count <= most, `${count} of ${network}`);
  }

  /** Those whom the engine remembers. */
  protected remembered(): Peer[] {
    return this.peers.filter((peer) => this.engine.remembers(peer));
  }

  // ---- members, and servers that go on

  #allActions(): Actions {
    const engine = this.engine as Partial<Membership<Out> & Resumable<Out>>;
    return {
      ...this.actions,
      wait: () => this.wait(),
      ...engine.expel && { expel: () => this.chance.is(0.2) ? this.#expel() : undefined },
      ...engine.save && { restart: () => this.chance.is(0.05) ? this.#restart() : undefined },
    };
  }

  #members(): Member[] {
    return (this.engine as Partial<Membership<Out>>).members?.() ?? [];
  }

  #checkMembers(): void {
    for (const { peer, name } of this.#members()) {
      assert(this.engine.remembers(peer), `${peer.address} is in, but not remembered`);
      assert(name.length > 0, `${peer.address} has no name`);
    }
  }

  #expel(): void {
    const known = this.expellable.filter((peer) => this.engine.remembers(peer));
    const peer = this.chance.pick(known.length > 0 ? known : this.expellable);
    const others = this.#members().filter((member) => member.peer !== peer).map(inShort);
    (this.engine as unknown as Membership<Out>).expel(peer, this.now, this.out);
    assert(!this.engine.remembers(peer), `${peer.address} was sent away, and is remembered`);
    assertEquals(this.#members().map(inShort), others);
  }

  #restart(): void {
    const [members, remembered] = [this.#members().map(inShort), this.remembered()];
    const old = this.engine as unknown as Resumable<Out>;
    const saved = JSON.parse(JSON.stringify(old.save(this.now))) as Saved;
    this.engine = this.create!();
    this.forget();
    this.now += this.chance.below(this.chance.pick([1, 5_000]));
    this.isSilent = true;
    const at = (ip: string, port: number): Peer =>
      this.peers.find((peer) => peer.ip === ip && peer.port === port)!;
    const next = this.engine as unknown as Resumable<Out>;
    next.resume(this.chance.is(0.5) ? saved : { ...saved, isFinal: true }, this.now, at, this.out);
    this.isSilent = false;
    assertEquals([this.#members().map(inShort), this.remembered()], [members, remembered]);
    this.onRestart();
  }
}

function inShort({ peer, name, stateBytes }: Member): string {
  return `${peer.address} ${name} ${stateBytes}`;
}

/** An engine over datagrams, and everything it says. */
export abstract class DatagramFuzzer<Event> extends Fuzzer<Event, Outbox<Event>>
  implements Outbox<Event> {
  backlog = 0;
  unsent = 0;

  get out(): Outbox<Event> {
    return this;
  }

  /** What is said to one. */
  protected abstract onSent(peer: Peer, bytes: Uint8Array): void;

  /** What is said to many. Only some servers do. */
  protected onBroadcast(_peers: readonly Peer[], _bytes: Uint8Array): void {
    throw new Error("there is nothing to tell everybody");
  }

  /** What is told to the host. */
  protected abstract onEvent(event: Event): void;

  send(peer: Peer, bytes: Uint8Array): void {
    assert(!this.isSilent, "something is said to somebody who was not heard");
    this.unsent++;
    this.saw("sent", bytes);
    this.onSent(peer, bytes);
  }

  broadcast(peers: Iterable<Peer>, bytes: Uint8Array): void {
    assert(!this.isSilent, "something is said to somebody who was not heard");
    assertEquals(this.backlog, 0, "the last slice still waits");
    const receivers = [...peers];
    this.backlog += receivers.length;
    assert(this.backlog > 0, "a broadcast to nobody");
    this.saw("broadcast", bytes);
    this.onBroadcast(receivers, bytes);
  }

  emit(event: Event): void {
    this.saw(nameOf(event));
    this.onEvent(event);
  }

  protected override forget(): void {
    this.backlog = this.unsent = 0;
  }

  /** What waits has left; when that were broadcasts, the host then calls `advance`. */
  protected override drain(): void {
    if (this.now < this.stuckUntil) return;
    this.unsent = 0;
    if (this.backlog === 0) return;
    this.now += this.chance.below(this.chance.pick([0, 1, 100]));
    this.backlog = 0;
    this.advance();
  }
}

/** Peers of so many networks. */
export function peersOf(count: number, networks: number): Peer[] {
  return Array.from(
    { length: count },
    (_, index) => peerAt(`192.0.2.${index % networks}:${5_000 + index}`),
  );
}

/** An engine as something that is fuzzed. */
export function engineTarget<Event, Out>(
  service: string,
  name: string,
  make: (chance: Chance, tally: Tally) => Fuzzer<Event, Out>,
  { reach, seeds, actions }: { reach: Reach; seeds: number; actions: number },
): Target {
  const run = (seed: number, tally: Tally): number => make(new Chance(seed), tally).run(actions);
  return { service, name, reach, seeds, run };
}
