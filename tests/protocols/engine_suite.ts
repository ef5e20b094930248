/**
 * What the engine contract asks of every engine, as one suite of tests.
 *
 * A protocol says how its engine is made and which datagrams are real; the suite plays seeded
 * sequences of them, mutated ones and noise, with steps of time of all sizes.
 */
import { assert, assertEquals } from "@std/assert";
import type { Engine, Member, Membership, Outbox, Peer } from "../../lib/protocols/engine.ts";
import { type Random, seededRandom } from "../../lib/parts/random.ts";
import { forEachSeed } from "../support/seeds.ts";

/** One engine under test. A fresh one for every seed; nothing in it may depend on chance. */
export interface Subject<Event> {
  engine: Engine<Event>;
  /** What arrives in ordinary play: a datagram of the protocol, made anew for every call. */
  datagram: (random: Random) => Uint8Array;
  /** Who sends. The engine may know some of them already. */
  peers: readonly Peer[];
  /** Throws when the engine holds more than it may. */
  checkLimits: () => void;
  /** A server's: who is in, and how they are sent away. */
  membership?: Membership<Outbox<Event>>;
  /** Calls the engine once before anything arrives, if it needs to be told what to do. */
  begin?: (now: number, out: Outbox<Event>) => void;
  /** When everybody is silent no deadline is left: true for servers. */
  endsInSilence: boolean;
}

/** Before how many datagrams somebody is sent away. */
const EXPELS_SHARE = 0.03;
const SEEDS = 20;
const STEPS = 250;
/** No IPv4 or IPv6 datagram is longer, with or without its headers. */
const LENGTH_MAX = 65_535;
const SILENCE_MS = 3_600_000;

/** Registers the tests. Their names begin with `name`. */
export function testEngineContract<Event>(name: string, setUp: () => Subject<Event>): void {
  Deno.test(`${name} survives any bytes, keeps its limits and waits for something later`, () => {
    forEachSeed(SEEDS, (seed) => {
      play(setUp(), seededRandom(seed), { overwrite: true });
    });
  });

  Deno.test(`${name} survives datagrams of every length`, () => {
    const subject = setUp();
    const said = new Recording<Event>();
    const random = seededRandom(1);
    subject.begin?.(0, said);
    // Some are known by then, so that the long ones are not just a stranger's.
    for (let real = 0; real < 20; real++) {
      subject.engine.receive(subject.datagram(random), subject.peers[0]!, real, said);
    }
    for (let length = 0; length <= LENGTH_MAX; length += length < 64 ? 1 : 997) {
      for (const filler of [0x00, 0x22, 0x7f, 0xff]) {
        const bytes = new Uint8Array(length).fill(filler);
        subject.engine.receive(bytes, subject.peers[0]!, length, said);
        subject.checkLimits();
      }
    }
    subject.engine.receive(new Uint8Array(LENGTH_MAX), subject.peers[0]!, LENGTH_MAX, said);
    subject.checkLimits();
  });

  Deno.test(`${name} says the same when the same happens`, () => {
    forEachSeed(SEEDS, (seed) => {
      const one = play(setUp(), seededRandom(seed), { overwrite: false });
      const other = play(setUp(), seededRandom(seed), { overwrite: false });
      assertEquals(one.digest, other.digest);
    });
  });

  Deno.test(`${name} keeps no view of a datagram`, () => {
    forEachSeed(SEEDS, (seed) => {
      const kept = play(setUp(), seededRandom(seed), { overwrite: false });
      const overwritten = play(setUp(), seededRandom(seed), { overwrite: true });
      assertEquals(kept.digest, overwritten.digest);
    });
  });

  Deno.test(`${name} never changes bytes it handed over`, () => {
    forEachSeed(SEEDS, (seed) => {
      play(setUp(), seededRandom(seed), { overwrite: true }).checkUnchanged();
    });
  });

  Deno.test(`${name} can be told the time at any moment`, () => {
    forEachSeed(SEEDS, (seed) => {
      const random = seededRandom(seed);
      const { engine, begin } = setUp();
      const said = new Recording<Event>();
      begin?.(0, said);
      for (let step = 0, now = 0; step < STEPS; step++, now += stepMs(random)) {
        engine.advance(now, said);
        checkDeadline(engine, now);
      }
    });
  });

  if (setUp().membership) {
    Deno.test(`${name} has nothing left of whom it sends away`, () => {
      let expelled = 0;
      forEachSeed(SEEDS, (seed) => {
        const subject = setUp();
        const random = seededRandom(seed);
        const said = play(subject, random, { overwrite: true });
        for (const { peer } of subject.membership!.members()) {
          expelled++;
          expel(subject, peer, said);
        }
        assertEquals(subject.membership!.members(), []);
        subject.engine.advance(said.now, said);
        checkDeadline(subject.engine, said.now);
      });
      assert(expelled > 0, "nobody was ever in");
    });
  }

  if (!setUp().endsInSilence) return;

  Deno.test(`${name} waits for nothing when everybody was silent for long`, () => {
    forEachSeed(SEEDS, (seed) => {
      const subject = setUp();
      const { engine } = subject;
      const said = play(subject, seededRandom(seed), { overwrite: true });
      said.drain();
      const end = said.now + SILENCE_MS;
      let now = said.now;
      while (engine.nextDeadline() <= end) {
        now = Math.max(now, engine.nextDeadline());
        engine.advance(now, said);
        checkDeadline(engine, now);
        said.drain();
        engine.advance(now, said); // The host says that everything has left.
        subject.checkLimits();
      }
      assertEquals(engine.nextDeadline(), Infinity);
      assert(subject.peers.every((peer) => !engine.remembers(peer)), "somebody is remembered");
    });
  });
}

/** Plays a random sequence; checks deadlines and limits on the way. */
export function play<Event>(
  subject: Subject<Event>,
  random: Random,
  { overwrite, steps = STEPS }: { overwrite: boolean; steps?: number },
): Recording<Event> {
  const { engine, peers } = subject;
  const said = new Recording<Event>();
  const buffer = new Uint8Array(LENGTH_MAX);
  const real = subject.datagram;
  subject.begin?.(0, said);
  for (let step = 0; step < steps; step++) {
    said.now += stepMs(random);
    if (random() < 0.2) said.drain();
    const peer = peers[Math.floor(random() * peers.length)]!;
    if (subject.membership && random() < EXPELS_SHARE) expel(subject, peer, said);
    const bytes = anyDatagram(random, real);
    // A buffer that is used again; or, to compare, one of its own that stays as it is.
    const datagram = overwrite ? buffer.subarray(0, bytes.length) : bytes;
    datagram.set(bytes);
    engine.receive(datagram, peer, said.now, said);
    if (overwrite) buffer.fill(0x5a);
    if (random() < 0.5) {
      engine.advance(said.now, said);
      checkDeadline(engine, said.now);
    }
    said.note(`${engine.nextDeadline()} ${engine.remembers(peer)}`);
    checkMembers(subject, said);
    subject.checkLimits();
  }
  return said;
}

/** Whoever is in is remembered, and has a name. */
function checkMembers<Event>({ engine, membership }: Subject<Event>, said: Recording<Event>): void {
  const members = membership?.members() ?? [];
  for (const { peer, name, stateBytes = 0, roundTripMs = 0 } of members) {
    assert(engine.remembers(peer), `${peer.address} is in, but not remembered`);
    assert(name.length > 0, `${peer.address} has no name`);
    assert(Number.isSafeInteger(stateBytes) && stateBytes >= 0, `${stateBytes} bytes`);
    assert(Number.isFinite(roundTripMs) && roundTripMs >= 0, `${roundTripMs} ms`);
    said.note(`${peer.address} ${name} ${stateBytes} ${roundTripMs}`);
  }
}

/** Sends somebody away: nothing is left of it, and everything else stays. */
function expel<Event>(subject: Subject<Event>, peer: Peer, said: Recording<Event>): void {
  const { engine, membership } = subject;
  const others = membership!.members().filter((member) => member.peer !== peer);
  membership!.expel(peer, said.now, said);
  assert(!engine.remembers(peer), `${peer.address} was sent away, and is remembered`);
  assertEquals(namesOf(membership!.members()), namesOf(others));
  subject.checkLimits();
}

function namesOf(members: readonly Member[]): string[] {
  return members.map(({ peer, name }) => `${peer.address} ${name}`);
}

function checkDeadline<Event>(engine: Engine<Event>, now: number): void {
  const deadline = engine.nextDeadline();
  assert(deadline > now, `the next deadline is ${deadline} after advance(${now})`);
}

/** From nothing over a network's milliseconds up to a computer's sleep. */
function stepMs(random: Random): number {
  const kind = random();
  if (kind < 0.3) return 0;
  if (kind < 0.9) return random() * 50;
  return kind < 0.99 ? random() * 3_000 : random() * 600_000;
}

function anyDatagram(random: Random, real: (random: Random) => Uint8Array): Uint8Array {
  const kind = random();
  if (kind < 0.5) return real(random);
  if (kind < 0.9) return mutated(random, real(random));
  return noise(random, kind < 0.98 ? random() * 64 : random() * (LENGTH_MAX + 1));
}

/** Random bytes; a fraction in `length` does not count. */
export function noise(random: Random, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = random() * 256;
  return bytes;
}

/** A datagram with something wrong: bytes changed, cut off, or added. */
export function mutated(random: Random, bytes: Uint8Array): Uint8Array {
  const kind = random();
  if (kind < 0.3) return bytes.slice(0, Math.floor(random() * (bytes.length + 1)));
  if (kind < 0.5) {
    const longer = new Uint8Array(bytes.length + Math.floor(random() * 32));
    longer.set(bytes);
    longer.set(noise(random, longer.length - bytes.length), bytes.length);
    return longer;
  }
  const changed = bytes.slice();
  for (let changes = 1 + Math.floor(random() * 4); changes > 0 && bytes.length > 0; changes--) {
    const edge = Math.floor(random() * 4);
    const value = [0x00, 0x7f, 0x80, 0xff][edge]!;
    changed[Math.floor(random() * bytes.length)] = random() < 0.5 ? value : random() * 256;
  }
  return changed;
}

/** An outbox that keeps everything, and a queue that leaves when the test says so. */
export class Recording<Event> implements Outbox<Event> {
  now = 0;
  unsent = 0;
  #backlog = 0;
  #digest = 0x811c9dc5;
  readonly #receivers = new Set<Peer>();
  readonly #handedOver: { bytes: Uint8Array; copy: Uint8Array }[] = [];

  /** Stands for everything that was said, when and to whom. */
  get digest(): number {
    return this.#digest;
  }

  /** Everybody who was sent something. */
  get receivers(): ReadonlySet<Peer> {
    return this.#receivers;
  }

  get backlog(): number {
    return this.#backlog;
  }

  send(peer: Peer, bytes: Uint8Array): void {
    this.unsent++;
    this.#receivers.add(peer);
    this.#take(`send ${peer.address}`, bytes);
  }

  broadcast(peers: Iterable<Peer>, bytes: Uint8Array): void {
    const receivers = [...peers];
    for (const peer of receivers) this.#receivers.add(peer);
    const addresses = receivers.map((peer) => peer.address);
    this.#backlog += addresses.length;
    this.#take(`broadcast ${addresses}`, bytes);
  }

  emit(event: Event): void {
    this.note(JSON.stringify(event, textOf));
  }

  /** Everything queued has left. */
  drain(): void {
    this.#backlog = 0;
    this.unsent = 0;
  }

  note(text: string): void {
    for (let at = 0; at < text.length; at++) this.#mix(text.charCodeAt(at));
    this.#mix(Math.round(this.now * 1_000));
  }

  checkUnchanged(): void {
    for (const { bytes, copy } of this.#handedOver) assertEquals(bytes, copy);
  }

  #take(what: string, bytes: Uint8Array): void {
    this.#handedOver.push({ bytes, copy: bytes.slice() });
    this.note(what);
    for (const byte of bytes) this.#mix(byte);
  }

  #mix(value: number): void {
    this.#digest = Math.imul(this.#digest ^ value, 0x01000193) >>> 0;
  }
}

function textOf(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return value instanceof Uint8Array ? Array.from(value) : value;
}
