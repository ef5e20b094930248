import { assert, assertEquals } from "@std/assert";
import type { Outbox, Peer } from "../../../lib/protocols/engine.ts";
import {
  type Client,
  type Departure,
  Hub,
  type HubMessage,
  type HubOptions,
  type HubOwner,
} from "../../../lib/protocols/events/hub.ts";
import { peerAt, Recorder } from "../../support/recorder.ts";

interface Say {
  kind: "say" | "play";
}

type Out = Outbox<never>;
const JOIN = { kind: "join" } as const;
const HEARTBEAT = { kind: "heartbeat" } as const;
/** Nothing that makes anybody present. */
const SAY: Say = { kind: "say" };
/** What only somebody does who plays. */
const PLAY: Say = { kind: "play" };
const SILENCE_MS = 35_000;
const WELCOME_BYTES = 40;
/** A network that has not acked yet may be sent so much at once. */
const TRIAL_BYTES = 16_000;

/**
 * A hub whose owner welcomes everybody and writes down what it is told. The first two bytes of a reliable
 * message are its number.
 */
class House implements HubOwner<Say, never> {
  readonly hub: Hub<Say, never>;
  readonly out = new Recorder<never>();
  readonly told: string[] = [];
  readonly known = new Map<number, Client>();
  /** What else happens when it is told something. */
  also: Partial<Record<string, (client: Client, now: number, out: Out) => void>> = {};

  constructor(options: Partial<HubOptions> = {}) {
    const limits = { silenceMs: SILENCE_MS, clientsMax: 8, clientsPerNetworkMax: 64 };
    this.hub = new Hub(this, { ...limits, ...options });
  }

  get now(): number {
    return this.out.now;
  }

  onAdmitted(client: Client, now: number, out: Out): void {
    this.known.set(client.number, client);
    this.send(client, "welcome", WELCOME_BYTES);
    this.#tell("admitted", client, now, out);
  }

  onJoinedAgain(client: Client, now: number, out: Out): void {
    this.#tell("again", client, now, out);
  }

  onPresent(client: Client, now: number, out: Out): void {
    this.#tell("present", client, now, out);
  }

  onHeartbeat(client: Client, out: Out): void {
    this.#tell("heartbeat", client, this.now, out);
  }

  onMessage(client: Client, message: Say, now: number, out: Out): void {
    if (message.kind === "play") this.hub.present(client, now, out);
    this.#tell(message.kind, client, now, out);
  }

  onGone(client: Client, reason: Departure, now: number, out: Out): void {
    this.#tell(reason, client, now, out);
  }

  /** Sends a reliable message. */
  send(client: Client, name = "message", length = 2): void {
    const settled = (arrived: boolean): void => {
      if (name !== "welcome") this.told.push(`${name} ${arrived}`);
      this.also[`${name} ${arrived}`]?.(client, this.now, this.out);
    };
    const write = (sequence: number): Uint8Array => {
      const bytes = new Uint8Array(length);
      bytes.set([sequence >> 8, sequence & 255]);
      return bytes;
    };
    this.hub.sendReliable(client, { write, settled }, this.now, this.out);
  }

  receive(message: HubMessage | Say, from: Peer): string {
    return this.hub.receive(message, from, this.now, this.out) ?? "taken";
  }

  ack(from: Peer, ...sequences: number[]): string {
    return this.receive({ kind: "ack", sequences }, from);
  }

  /** Lets somebody in who acks at once. Returns the client. */
  enter(peer: Peer): Client {
    this.receive(JOIN, peer);
    const client = [...this.known.values()].at(-1)!;
    this.ack(peer, ...this.takeSentTo(peer));
    assert(client.isPresent);
    return client;
  }

  /** Somebody who plays without an ack. */
  enterSilently(peer: Peer): Client {
    this.receive(PLAY, peer);
    this.takeSentTo(peer);
    return [...this.known.values()].at(-1)!;
  }

  /** Time passes, and what is due is done. */
  wait(ms: number): void {
    const end = this.now + ms;
    for (let at = this.hub.nextDeadline(); at <= end; at = this.hub.nextDeadline()) {
      this.out.now = Math.max(at, this.now);
      this.hub.advance(this.now, this.out);
      assert(this.hub.nextDeadline() > this.now);
    }
    this.out.now = end;
  }

  /** The numbers of the reliable messages that were sent to somebody. */
  takeSentTo(peer: Peer): number[] {
    return this.out.takeSentTo(peer).map((bytes) => 256 * bytes[0]! + bytes[1]!);
  }

  /** When datagrams left, and how many. */
  takeTimes(): number[] {
    return this.out.takeSent().map(({ at }) => at);
  }

  takeTold(): string[] {
    return this.told.splice(0);
  }

  /** Everybody is silent: nobody stays, nothing is waited for. */
  checkSilence(): void {
    this.wait(SILENCE_MS + 10_000);
    assertEquals(this.hub.nextDeadline(), Infinity);
    assertEquals([this.hub.clients.size, this.hub.unproved, this.hub.undelivered], [0, 0, 0]);
    assert([...this.known.values()].every(({ peer }) => !this.hub.remembers(peer)));
  }

  #tell(what: string, client: Client, now: number, out: Out): void {
    this.told.push(`${what} ${client.number}`);
    this.also[what]?.(client, now, out);
  }
}

function peersOf(count: number, network = "192.0.2.1"): Peer[] {
  return Array.from({ length: count }, (_, index) => peerAt(`${network}:${5_000 + index}`));
}

const ADA = "198.51.100.1:1";
const BEN = "198.51.100.2:1";

// ---- coming

Deno.test("Hub.receive() admits whoever says anything first, but does not take an ack for it", () => {
  for (const message of [JOIN, HEARTBEAT, SAY]) {
    const [house, ada] = [new House(), peerAt(ADA)];
    assertEquals(house.receive(message, ada), "taken");
    assertEquals(house.takeTold().slice(0, 1), ["admitted 1"]);
    assertEquals([house.hub.unproved, house.hub.clients.size], [1, 0]);
    assert(house.hub.remembers(ada));
    house.checkSilence();
  }
  const [house, ada] = [new House(), peerAt(ADA)];
  for (const sequences of [[], [0], [0, 1, 2]]) {
    assertEquals(house.ack(ada, ...sequences), "stranger");
  }
  assertEquals([house.told, house.out.sent, house.hub.remembers(ada)], [[], [], false]);
  assertEquals(house.hub.nextDeadline(), Infinity);
});

Deno.test("Hub.receive() makes present who acks what was sent", () => {
  const [house, ada] = [new House(), peerAt(ADA)];
  house.receive(JOIN, ada);
  assertEquals(house.takeSentTo(ada), [0]);
  const client = house.known.get(1)!;
  assertEquals([client.isPresent, client.peer], [false, ada]);
  for (const wrong of [[1], [10_000], []]) assertEquals(house.ack(ada, ...wrong), "taken");
  assertEquals([house.takeTold(), house.hub.unproved], [["admitted 1"], 1]);
  house.ack(ada, 7, 0, 0);
  assertEquals(house.takeTold(), ["present 1"]);
  assertEquals([client.isPresent, [...house.hub.clients], house.hub.unproved], [true, [client], 0]);
});

Deno.test("Hub.receive() takes no ack for anybody else's message", () => {
  const [house, ada, ben] = [new House(), peerAt(ADA), peerAt(BEN)];
  house.receive(JOIN, ada);
  house.receive(JOIN, ben);
  assertEquals([house.takeSentTo(ada), house.takeSentTo(ben)], [[0], [1]]);
  house.ack(ada, 1);
  house.ack(ben, 0);
  assertEquals([house.hub.unproved, house.hub.undelivered], [2, 2]);
  house.ack(ben, 1);
  assertEquals(house.takeTold(), ["admitted 1", "admitted 2", "present 2"]);
});

Deno.test("Hub.present() lets somebody in without an ack, once", () => {
  const [house, ada] = [new House(), peerAt(ADA)];
  house.receive(PLAY, ada);
  house.receive(PLAY, ada);
  assertEquals(house.takeTold(), ["admitted 1", "present 1", "play 1", "play 1"]);
  assertEquals([house.hub.unproved, house.hub.clients.size], [0, 1]);
});

Deno.test("Hub tells of heartbeats of those who are present, and of joins of those it knows", () => {
  const [house, ada] = [new House(), peerAt(ADA)];
  for (const message of [JOIN, HEARTBEAT, JOIN, PLAY, HEARTBEAT, JOIN]) house.receive(message, ada);
  const expected = ["admitted 1", "again 1", "present 1", "play 1", "heartbeat 1", "again 1"];
  assertEquals(house.takeTold(), expected);
});

Deno.test("Hub needs no owner who cares for heartbeats and repeated joins", () => {
  const house = new House();
  Object.assign(house, { onHeartbeat: undefined, onJoinedAgain: undefined });
  const client = house.enter(peerAt(ADA));
  house.takeTold();
  assertEquals([house.receive(HEARTBEAT, client.peer), house.receive(JOIN, client.peer)], [
    "taken",
    "taken",
  ]);
  assertEquals(house.told, []);
});

Deno.test("Hub never gives a number twice", () => {
  const [house, ada] = [new House(), peerAt(ADA)];
  for (const number of [1, 2, 3]) {
    assertEquals(house.enter(ada).number, number);
    house.wait(SILENCE_MS);
    assert(!house.hub.remembers(ada));
  }
});

Deno.test("Hub.clients has those who are present, in the order of their coming", () => {
  const house = new House();
  const peers = peersOf(3);
  for (const peer of peers) house.receive(JOIN, peer);
  const sequences = peers.map((peer) => house.takeSentTo(peer)[0]!);
  for (const index of [2, 0, 1]) house.ack(peers[index]!, sequences[index]!);
  assertEquals([...house.hub.clients].map(({ number }) => number), [3, 1, 2]);
});

// ---- numbers

Deno.test("Hub.nextSequence() takes from the row of all clients, from 0 on", () => {
  const [house, ada, ben] = [new House(), peerAt(ADA), peerAt(BEN)];
  house.receive(JOIN, ada);
  assertEquals(house.hub.nextSequence(), 1);
  house.receive(JOIN, ben);
  assertEquals([house.takeSentTo(ada), house.takeSentTo(ben)], [[0], [2]]);
});

Deno.test("Hub gives each client a row of its own, where its owner says that it begins", () => {
  const firsts = [10_000, 7];
  const house = new House({ firstSequence: () => firsts.shift()! });
  const [ada, ben] = [peerAt(ADA), peerAt(BEN)];
  const [one, other] = [house.enter(ada), house.enter(ben)];
  for (const client of [one, other, one]) house.send(client);
  assertEquals([house.takeSentTo(ada), house.takeSentTo(ben)], [[0, 1], [8]]);
});

// ---- going

Deno.test("Hub forgets 10 s after its coming who is not present, whatever it says", () => {
  for (const message of [JOIN, HEARTBEAT, SAY, { kind: "ack", sequences: [9] } as const]) {
    const [house, ada] = [new House(), peerAt(ADA)];
    house.receive(JOIN, ada);
    for (let second = 0; second < 9; second++) {
      house.wait(1_000);
      house.receive(message, ada);
    }
    house.wait(999);
    assert(house.hub.remembers(ada));
    house.wait(1);
    assert(!house.hub.remembers(ada));
    assertEquals(house.takeTold().at(-1), "silent 1");
    assertEquals(house.hub.nextDeadline(), Infinity);
  }
});

Deno.test("Hub forgets who is present after so long without a word, an ack counts", () => {
  for (const message of [JOIN, HEARTBEAT, SAY, { kind: "ack", sequences: [] } as const]) {
    const [house, ada] = [new House({ silenceMs: 3_000 }), peerAt(ADA)];
    house.enter(ada);
    house.wait(2_999);
    house.receive(message, ada);
    house.wait(2_999);
    assert(house.hub.remembers(ada));
    house.takeTold();
    house.wait(1);
    assertEquals(house.takeTold(), ["silent 1"]);
    assertEquals([house.hub.clients.size, house.hub.nextDeadline()], [0, Infinity]);
  }
});

Deno.test("Hub waits 10 s for the next word of who is present without an ack, and longer after it", () => {
  for (
    const [address, silenceMs, patienceMs] of [
      [ADA, 60_000, 10_000],
      [ADA, 3_000, 3_000],
      ["127.0.0.1:1", 60_000, 60_000], // Nobody forges that.
      ["[::1]:1", 60_000, 60_000],
    ] as const
  ) {
    const [house, ada] = [new House({ silenceMs }), peerAt(address)];
    house.receive(JOIN, ada);
    house.wait(9_000);
    house.receive(PLAY, ada);
    house.wait(patienceMs - 1);
    assert(house.hub.remembers(ada), `${address} ${silenceMs}`);
    house.receive(SAY, ada);
    house.wait(patienceMs - 1);
    assert(house.hub.remembers(ada), `${address} ${silenceMs}`);
    house.wait(1);
    assert(!house.hub.remembers(ada), `${address} ${silenceMs}`);
  }
  const [house, ada] = [new House({ silenceMs: 60_000 }), peerAt(ADA)];
  const { peer } = house.enterSilently(ada);
  house.wait(9_000);
  house.ack(peer, 0);
  house.wait(59_999);
  assert(house.hub.remembers(ada), "the ack counts");
  house.wait(1);
  assert(!house.hub.remembers(ada));
});

Deno.test("Hub believes who cannot be forged: no budget, no place lost", () => {
  const house = new House({ clientsMax: 1 });
  const client = house.enterSilently(peerAt("127.0.0.1:1"));
  for (let sends = 0; sends < 100; sends++) assert(house.hub.maySend(client, 10_000, house.now));
  house.wait(6_000);
  assertEquals(house.receive(JOIN, peerAt(ADA)), "full");
  const other = new House();
  const ben = other.enterSilently(peerAt(BEN));
  assert(other.hub.maySend(ben, TRIAL_BYTES, 0) && !other.hub.maySend(ben, 1, 0));
});

Deno.test("Hub.close() ends a connection once, and gives up what was on its way", () => {
  const [house, ada] = [new House(), peerAt(ADA)];
  const client = house.enter(ada);
  house.takeTold();
  for (const name of ["a", "b"]) house.send(client, name);
  house.hub.close(client, "closed", house.now, house.out);
  house.hub.close(client, "displaced", house.now, house.out);
  assertEquals(house.takeTold(), ["a false", "b false", "closed 1"]);
  house.send(client, "late");
  assertEquals(house.takeTold(), ["late false"]);
  house.hub.present(client, house.now, house.out);
  assertEquals([house.told, house.hub.clients.size, house.hub.nextDeadline()], [[], 0, Infinity]);
  assertEquals(house.ack(ada, 1), "stranger");
  assertEquals(house.receive(JOIN, ada), "taken");
  assertEquals(house.takeTold(), ["admitted 2"]);
});

Deno.test("Hub.close() takes nobody away who came later from the same address", () => {
  const [house, ada] = [new House(), peerAt(ADA)];
  const old = house.enter(ada);
  house.hub.close(old, "closed", house.now, house.out);
  house.enter(ada);
  house.takeTold();
  house.hub.close(old, "closed", house.now, house.out);
  assertEquals([house.told, house.hub.remembers(ada)], [[], true]);
});

// ---- what has to arrive

Deno.test("Hub.sendReliable() has two messages on their way before the first ack, eight after it", () => {
  const [house, ada] = [new House(), peerAt(ADA)];
  const client = house.enterSilently(ada);
  for (let count = 0; count < 100; count++) house.send(client);
  assertEquals(house.takeSentTo(ada), [1], "the welcome is on its way");
  assertEquals(house.hub.undelivered, 101);
  house.ack(ada, 1);
  assertEquals(house.takeSentTo(ada).length, 7, "and the welcome still is");
  house.ack(ada, 0, 2, 3, 4);
  assertEquals(house.takeSentTo(ada), [9, 10, 11, 12]);
  assertEquals(house.hub.undelivered, 96);
});

Deno.test("Hub.sendReliable() lets 1,024 wait", () => {
  const house = new House();
  const client = house.enter(peerAt(ADA));
  house.takeTold();
  for (let count = 0; count < 8 + 1_024 + 3; count++) house.send(client);
  assertEquals(house.takeTold(), Array(3).fill("message false"));
  assertEquals(house.hub.undelivered, 8 + 1_024);
});

Deno.test("Hub sends again, to who is heard, until it is acked or was sent ten times", () => {
  const [house, ada] = [new House(), peerAt(ADA)];
  const client = house.enter(ada);
  house.send(client, "a");
  house.takeTold();
  for (let step = 0; step < 200; step++) {
    house.wait(100);
    house.receive(SAY, ada);
  }
  const times = [0, 500, 1_500, ...Array.from({ length: 7 }, (_, count) => 3_500 + 2_000 * count)];
  assertEquals(house.takeTimes(), times);
  assertEquals(house.takeTold().filter((line) => line !== "say 1"), ["a false"]);
  assertEquals([house.hub.resends, house.hub.undelivered], [9, 0]);
});

Deno.test("Hub sends three times to who is present and silent, and goes on at its next word", () => {
  const [house, ada] = [new House(), peerAt(ADA)];
  house.send(house.enter(ada), "a");
  house.wait(30_000);
  assertEquals(house.takeTimes(), [0, 500, 1_500]);
  house.receive(HEARTBEAT, ada);
  assertEquals(house.takeTimes(), [30_000]);
  house.takeTold();
  house.checkSilence();
  assertEquals(house.takeTold(), ["a false", "silent 1"]);
});

// ---- forged senders

Deno.test("Hub sends a victim three times what its first word brings, however often it is forged", () => {
  for (const message of [JOIN, HEARTBEAT, SAY, { kind: "ack", sequences: [5, 6] } as const]) {
    const [house, victim] = [new House(), peerAt(ADA)];
    house.receive(JOIN, victim);
    for (let count = 0; count < 999; count++) {
      house.receive(message, victim);
      house.wait(10);
    }
    const sent = house.out.takeSent();
    assertEquals(sent.map(({ at }) => at), [0, 500, 1_500]);
    assertEquals(sent.reduce((sum, { bytes }) => sum + bytes.length, 0), 3 * WELCOME_BYTES);
  }
});

Deno.test("Hub.maySend() spends the budget of a network until one of its clients acks", () => {
  const house = new House();
  const [one, two] = peersOf(2).map((peer) => house.enterSilently(peer));
  const ada = house.enterSilently(peerAt(ADA));
  const { hub } = house;
  assert(hub.maySend(one!, TRIAL_BYTES - 100, house.now));
  assert(!hub.maySend(two!, 101, house.now), "its neighbour shares the budget");
  assert(hub.maySend(two!, 100, house.now));
  assert(hub.maySend(ada, TRIAL_BYTES, house.now), "another network has its own");
  house.out.now += 1_000;
  assert(!hub.maySend(one!, 2_001, house.now));
  assert(hub.maySend(one!, 2_000, house.now));
  house.ack(two!.peer, 1);
  for (let count = 0; count < 100; count++) assert(hub.maySend(two!, TRIAL_BYTES, house.now));
  assert(!hub.maySend(one!, 1, house.now), "who acked nothing is still on trial");
});

Deno.test("Hub.maySend() knows no budget where nobody can ack", () => {
  const house = new House({ hasAcks: false });
  const client = house.enterSilently(peerAt(ADA));
  for (let count = 0; count < 100; count++) assert(house.hub.maySend(client, TRIAL_BYTES, 0));
});

// ---- full

Deno.test("Hub.receive() lets no more in of one network than it may, proved or not", () => {
  const house = new House({ clientsPerNetworkMax: 2 });
  const [one, two, three] = peersOf(3);
  house.enter(one!);
  house.enterSilently(two!);
  house.takeTold();
  for (const message of [JOIN, HEARTBEAT, PLAY, SAY]) {
    assertEquals(house.receive(message, three!), "full-network");
  }
  assertEquals([house.told, house.hub.remembers(three!)], [[], false]);
  assertEquals(house.receive(JOIN, peerAt(ADA)), "taken");
  house.wait(10_000);
  assertEquals(house.receive(JOIN, three!), "taken", "one was forgotten");
});

Deno.test("Hub.receive() lets who is only asking keep nobody of its network out", () => {
  const house = new House({ clientsPerNetworkMax: 2 });
  const [one, two, three] = peersOf(3);
  for (const peer of [one!, two!]) house.receive(JOIN, peer);
  house.takeTold();
  assertEquals(house.receive(JOIN, three!), "taken");
  assertEquals(house.takeTold(), ["displaced 1", "admitted 3"]);
  assertEquals(house.receive(JOIN, peerAt(ADA)), "taken");
  house.ack(three!, ...house.takeSentTo(three!));
  assertEquals(house.takeTold(), ["admitted 4", "present 3"]);
});

Deno.test("Hub.present() lets no more in of one network, but for who never acked anything", () => {
  const house = new House({ clientsPerNetworkMax: 2 });
  const [one, two, three] = peersOf(3);
  house.receive(JOIN, two!);
  for (const peer of [one!, three!]) house.enterSilently(peer);
  house.takeTold();
  house.receive(PLAY, two!);
  assertEquals(house.takeTold(), ["play 1"]);
  house.wait(5_000);
  house.receive(PLAY, two!);
  assertEquals(house.takeTold(), ["displaced 2", "present 1", "play 1"]);
});

Deno.test("Hub.receive() counts the clients of an IPv6 network together", () => {
  const house = new House({ clientsPerNetworkMax: 1 });
  house.receive(PLAY, peerAt("[2001:db8:0:1::1]:1"));
  assertEquals(house.receive(JOIN, peerAt("[2001:db8:0:1::2]:1")), "full-network");
  assertEquals(house.receive(JOIN, peerAt("[2001:db8:0:2::1]:1")), "taken");
});

Deno.test("Hub forgets the eldest who proved nothing, when there are as many as places", () => {
  const house = new House({ unprovedMax: 3 });
  const [one, two, three, four] = peersOf(4);
  for (const peer of [one!, two!, three!]) house.receive(JOIN, peer);
  house.receive(HEARTBEAT, one!); // A word makes it no younger.
  house.takeTold();
  assertEquals(house.receive(JOIN, four!), "taken");
  assertEquals(house.takeTold(), ["displaced 1", "admitted 4"]);
  assertEquals([house.hub.unproved, house.hub.remembers(one!)], [3, false]);
  house.ack(two!, ...house.takeSentTo(two!));
  assertEquals(house.takeTold(), ["present 2"]);
});

Deno.test("Hub makes room for a newcomer in a network from which the eldest is forgotten", () => {
  const house = new House({ unprovedMax: 1, clientsPerNetworkMax: 2 });
  const [one, two, three] = peersOf(3);
  for (const peer of [one!, two!, three!]) assertEquals(house.receive(JOIN, peer), "taken");
  assertEquals(house.hub.unproved, 1);
  house.hub.close(house.known.get(3)!, "closed", house.now, house.out);
  for (const peer of [one!, two!]) assertEquals(house.receive(JOIN, peer), "taken");
});

Deno.test("Hub displaces who is present for 5 s without an ack, the first to come first", () => {
  const house = new House({ clientsMax: 2 });
  const [one, two, three] = peersOf(3);
  house.enterSilently(one!);
  house.wait(10);
  house.enterSilently(two!);
  house.takeTold();
  house.wait(4_989);
  assertEquals(house.receive(JOIN, three!), "full");
  assert(!house.hub.remembers(three!));
  house.wait(1);
  assertEquals(house.receive(JOIN, three!), "taken");
  assertEquals(house.takeTold(), ["displaced 1", "admitted 3"]);
  assertEquals([...house.hub.clients].map(({ number }) => number), [2]);
});

Deno.test("Hub displaces nobody who ever acked anything", () => {
  const house = new House({ clientsMax: 2 });
  const [one, two, three, four] = peersOf(4);
  house.enter(one!);
  house.enterSilently(two!);
  house.ack(two!, 1);
  house.wait(20_000);
  house.takeTold();
  assertEquals(house.receive(JOIN, three!), "full");
  assertEquals(house.receive(PLAY, four!), "full");
  assertEquals([house.told, house.hub.clients.size], [[], 2]);
});

Deno.test("Hub lets wait who acks when every place was taken meanwhile", () => {
  const house = new House({ clientsMax: 1, unprovedMax: 1 });
  const [one, two] = peersOf(2);
  house.receive(JOIN, one!);
  const sequences = house.takeSentTo(one!);
  house.wait(10);
  house.enter(peerAt(ADA)); // The eldest is forgotten.
  assertEquals(house.ack(one!, ...sequences), "stranger");
  assertEquals(house.receive(JOIN, one!), "full");

  const other = new House({ clientsMax: 2, unprovedMax: 2 });
  for (const peer of [one!, two!]) other.receive(JOIN, peer);
  const ada = other.enter(peerAt(ADA)); // One of two is forgotten.
  const ben = other.enterSilently(peerAt(BEN));
  other.takeTold();
  other.receive(PLAY, two!);
  assertEquals([other.hub.clients.size, other.takeTold().includes("present 2")], [2, false]);
  other.wait(5_000);
  other.receive(PLAY, two!);
  assertEquals([...other.hub.clients].map(({ number }) => number), [ada.number, 2]);
  assert(!other.hub.remembers(ben.peer));
});

Deno.test("Hub displaces nobody where nobody can ack", () => {
  const house = new House({ clientsMax: 1, hasAcks: false });
  const { peer } = house.enterSilently(peerAt(ADA));
  house.wait(20_000);
  assertEquals(house.receive(PLAY, peerAt(BEN)), "full");
  assert(house.hub.remembers(peer));
});

// ---- callbacks that call back

Deno.test("Hub keeps nothing of who is closed in the middle of a callback", () => {
  const close = (house: House) => (client: Client, now: number, out: Out): void =>
    house.hub.close(client, "closed", now, out);
  for (const what of ["admitted", "present", "again", "play", "heartbeat", "welcome true"]) {
    const [house, ada] = [new House(), peerAt(ADA)];
    house.also = { [what]: close(house) };
    for (const message of [JOIN, JOIN, PLAY, HEARTBEAT] as const) {
      house.receive(message, ada);
      if (!house.hub.remembers(ada)) break;
    }
    house.ack(ada, 0);
    assert(!house.hub.remembers(ada), what);
    assertEquals([house.hub.clients.size, house.hub.unproved], [0, 0], what);
    assertEquals([house.hub.undelivered, house.hub.nextDeadline()], [0, Infinity], what);
    assertEquals(house.told.filter((line) => line === "closed 1").length, 1, what);
  }
});

Deno.test("Hub tells nothing of who was sent away when it came", () => {
  const [house, ada] = [new House(), peerAt(ADA)];
  house.also = { admitted: (client, now, out) => house.hub.close(client, "closed", now, out) };
  assertEquals(house.receive(PLAY, ada), "taken");
  assertEquals(house.takeTold(), ["admitted 1", "closed 1"]);
});

Deno.test("Hub keeps no deadline for who was present and sent away when it came", () => {
  const [house, ada] = [new House(), peerAt(ADA)];
  house.also = {
    admitted: (client, now, out) => house.hub.present(client, now, out),
    present: (client, now, out) => house.hub.close(client, "closed", now, out),
  };
  house.receive(JOIN, ada);
  assertEquals([house.hub.clients.size, house.hub.nextDeadline()], [0, Infinity]);
});

Deno.test("Hub sends no more to who is closed when it hears that something was given up", () => {
  const [house, ada] = [new House(), peerAt(ADA)];
  house.also = { "a false": (client, now, out) => house.hub.close(client, "closed", now, out) };
  const client = house.enter(ada);
  house.send(client, "a");
  house.wait(16_000 - house.now);
  for (let second = 0; second < 30 && house.hub.remembers(ada); second++) {
    house.receive(HEARTBEAT, ada);
    house.send(client, "b");
    house.out.takeSent();
    house.wait(1_000);
  }
  assert(!house.hub.remembers(ada));
  const sentAtTheEnd = house.out.takeSent().filter(({ at }) => at === house.now);
  assertEquals([sentAtTheEnd, house.hub.nextDeadline()], [[], Infinity]);
  house.takeTold();
  house.checkSilence();
  assertEquals(house.told, []);
});

Deno.test("Hub makes nobody present who is sent away together with who makes room", () => {
  const house = new House({ clientsMax: 2 });
  const [one, two, three] = peersOf(3);
  house.enterSilently(one!);
  house.receive(JOIN, three!);
  house.enterSilently(two!);
  const third = house.known.get(2)!;
  house.wait(5_000);
  house.also = { displaced: (_, now, out) => house.hub.close(third, "closed", now, out) };
  house.takeTold();
  house.receive(PLAY, three!);
  assertEquals(house.takeTold(), ["displaced 1", "closed 2", "play 2"]);
  assertEquals([third.isPresent, house.hub.clients.size], [false, 1]);
  house.checkSilence();
});

Deno.test("Hub takes what is sent in the middle of a callback", () => {
  for (const what of ["admitted", "present", "play", "heartbeat", "again", "welcome true"]) {
    const [house, ada] = [new House(), peerAt(ADA)];
    house.also = { [what]: (client) => house.send(client, "more") };
    house.receive(JOIN, ada);
    house.receive(JOIN, ada);
    house.ack(ada, 0);
    house.receive(PLAY, ada);
    house.receive(HEARTBEAT, ada);
    const sent = house.takeSentTo(ada);
    assertEquals(sent.slice(0, 2), [0, 1], what);
    house.ack(ada, ...sent);
    assert(house.takeTold().includes("more true"), what);
    assertEquals(house.hub.undelivered, 0, what);
    house.checkSilence();
  }
});

Deno.test("Hub takes what is sent to others and to who goes when somebody goes", () => {
  const house = new House();
  const [one, two] = peersOf(2).map((peer) => house.enter(peer));
  house.also = {
    silent: (client) => {
      house.send(client, "to the dead");
      for (const other of house.hub.clients) house.send(other, "obituary");
    },
  };
  house.wait(20_000);
  house.receive(HEARTBEAT, two!.peer);
  house.takeTold();
  house.wait(15_000);
  assertEquals(house.takeTold(), [`silent ${one!.number}`, "to the dead false"]);
  assertEquals(house.takeSentTo(two!.peer).length, 1);
  house.checkSilence();
});

Deno.test("Hub believes no ack of who tried 64 numbers before, until it comes anew", () => {
  const house = new House();
  const [eve] = peersOf(1) as [Peer];
  const guess = (from: number, count: number): string =>
    house.ack(eve, ...Array.from({ length: count }, (_, index) => from + index));
  house.receive(JOIN, eve);
  guess(5_000, 40);
  guess(5_040, 25);
  house.ack(eve, 0); // What it was sent, but one guess too late.
  assertEquals([house.hub.unproved, house.hub.clients.size], [1, 0]);
  house.wait(10_000);
  house.receive(JOIN, eve);
  guess(house.takeSentTo(eve).at(-1)!, 64);
  assertEquals(house.hub.clients.size, 1);
  guess(5_000, 1_000); // Proved is proved.
  house.send([...house.hub.clients][0]!);
  guess(house.takeSentTo(eve).at(-1)!, 1);
  assertEquals(house.told.at(-1), "message true");
});

Deno.test("Hub accounts for reliable messages to who acks nothing, apart from the others", () => {
  const house = new House();
  const [mute] = peersOf(1) as [Peer];
  const client = house.enterSilently(mute);
  house.takeSentTo(mute);
  assert(house.hub.maySend(client, TRIAL_BYTES, house.now), "the others' budget");
  for (let second = 0; second < 60; second++) {
    house.send(client, "long", 4_000);
    house.receive(PLAY, mute);
    house.wait(1_000);
  }
  const bytes = house.out.takeSent().reduce((sum, { bytes }) => sum + bytes.length, 0);
  assert(bytes > 40_000 && bytes <= TRIAL_BYTES + 60 * 1_000, `${bytes} bytes`);
});
