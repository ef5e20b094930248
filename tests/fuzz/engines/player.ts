/**
 * A player of the rendezvous protocol: host or joiner, in both dialects. Always true:
 *
 * - there are no more players than may be, and who is there agrees with what was told;
 * - no more addresses are remembered than the server's, and three of each player;
 * - a reliable message is told of once: that it arrived, or that it did not;
 * - a session that has ended says nothing, is due for nothing, and remembers nobody.
 */
import { assert, assertEquals } from "@std/assert";
import type { Peer } from "../../../lib/protocols/engine.ts";
import type { LossReason } from "../../../lib/protocols/rendezvous/link.ts";
import type { Dialect, Message, PeerInfo } from "../../../lib/protocols/rendezvous/message.ts";
import { createPlayer } from "../../../lib/protocols/rendezvous/peer.ts";
import type {
  EndReason,
  Player,
  PlayerEvent,
  PlayerRefusal,
} from "../../../lib/protocols/rendezvous/player.ts";
import { decode, encode } from "../../../lib/protocols/rendezvous/wire.ts";
import { peerAt } from "../../support/recorder.ts";
import type { Chance } from "../harness/chance.ts";
import { DatagramFuzzer, engineTarget } from "../harness/engines.ts";
import { every, type Tally } from "../harness/reach.ts";
import { utf8 } from "../harness/spoil.ts";

const PLAYERS_MAX = 4;
const HOST = "castle";
const NAMES = [HOST, "ada", "bob", "cleo", "dora", "é", "f", "g"];
const OWN = { ip: "10.0.0.200", port: 4_000 };

class PlayerFuzzer extends DatagramFuzzer<PlayerEvent> {
  engine: Player;
  readonly #known = new Map<string, Peer>();
  readonly #server: Peer;
  readonly #dialect: Dialect;
  readonly #name: string;
  /** The session key: what the server says is hashed with it. */
  #key = "";
  /** What is to be answered, and by whom. */
  readonly #asked: [to: string, answer: Message][] = [];
  readonly #there = new Set<string>();
  /** Reliable messages that were not told of yet. */
  readonly #pending = new Map<string, Set<number>>();
  #hasEnded = false;

  constructor(chance: Chance, tally: Tally) {
    super(chance, tally);
    this.#dialect = chance.pick([1, 2]);
    this.#name = chance.pick([HOST, "ada"]);
    this.#server = this.#at("192.0.2.1", 5_160);
    for (const index of NAMES.keys()) this.#at(`203.0.113.${index + 1}`, 4_000);
    this.engine = this.#newPlayer();
  }

  #newPlayer(): Player {
    const { chance } = this;
    return createPlayer({
      ...{ name: this.#name, host: this.#name === HOST ? undefined : HOST, local: OWN },
      ...{ dialect: this.#dialect, playersMax: PLAYERS_MAX, checkMs: chance.pick([500, 15_000]) },
      random: chance.random,
      peerAt: (ip, port) => this.#at(ip, port),
    });
  }

  get peers(): readonly Peer[] {
    return [...this.#known.values()];
  }

  #at(ip: string, port: number): Peer {
    const address = ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
    const peer = this.#known.get(address) ?? peerAt(address);
    this.#known.set(address, peer);
    return peer;
  }

  protected override begin(): void {
    this.engine.connect([this.#server], this.now, this);
  }

  // ---- what happens

  readonly actions = {
    server: (): void => this.receiveLater(this.#fromServer(), this.#server),
    player: (): void => {
      const [bytes, from] = this.#fromPlayer();
      this.receiveLater(bytes, from);
    },
    meet: (): void => this.#meet(this.chance.pick([HOST, HOST, ...NAMES])),
    list: (): void => {
      const peers = new Map(NAMES.map((name) => [name, this.#info()]));
      const action = this.chance.pick(["add", "remove"] as const);
      const message = { kind: "peerList", action, peers, id: this.chance.whole(9) } as const;
      if (this.#dialect === 1) return;
      const drop = { kind: "drop", name: HOST } as const;
      this.receive(...this.#fromPlayer(HOST, this.chance.is(0.1) ? drop : message));
    },
    // Those who are there say so, and answer some of what they were asked.
    alive: (): void => {
      for (const name of this.#there) {
        if (this.chance.is(0.9)) this.receive(...this.#fromPlayer(name, { kind: "check" }));
        if (this.chance.is(0.9)) this.receive(...this.#fromPlayer(name, { kind: "checkResponse" }));
      }
      for (const [to, answer] of this.#asked.splice(0)) {
        if (this.chance.is(0.3)) this.receive(...this.#fromPlayer(to, answer));
      }
      this.now += this.chance.below(400);
      this.advance();
    },
    elsewhere: (): void => this.receive(this.#fromPlayer()[0], this.chance.pick(this.peers)),
    mutated: (): void => {
      const bytes = this.chance.is(0.5) ? this.#fromServer() : this.#fromPlayer()[0];
      this.receive(this.chance.mutated(bytes), this.chance.pick(this.peers));
    },
    noise: (): void => this.receive(this.chance.noise(), this.chance.pick(this.peers)),
    rubbish: (): void => {
      const words = ['{"__type":"drop-me"}', '{"__type":"x"}', '{"type":"peer-check","sender":""}'];
      this.receive(utf8(this.chance.pick(words)), this.chance.pick(this.peers));
    },
    act: (): void => this.#act(),
  };

  #info(number = 1 + this.chance.whole(NAMES.length)): PeerInfo {
    const isNear = this.chance.is(0.8);
    return {
      globalAddress: { ip: this.chance.is(0.02) ? "::" : `203.0.113.${number}`, port: 4_000 },
      localAddress: { ip: isNear ? `10.0.0.${number}` : "0.0.0.0", port: 4_000 },
      usesGlobal: this.chance.is(0.5),
    };
  }

  #fromServer(): Uint8Array {
    const { chance } = this;
    const messages: Message[] = [
      { kind: "registered" },
      {
        kind: "introduction",
        peer: chance.pick([HOST, ...NAMES, `n${chance.whole(500)}`]),
        ...this.#info(),
      },
    ];
    // Errors end a session: they are rare.
    if (chance.is(0.05)) messages.push({ kind: "error", message: "x" });
    if (this.#dialect === 2) messages.push({ kind: "refreshed" }, { kind: "servers", servers: [] });
    return this.#written(null, chance.pick(messages));
  }

  #fromPlayer(
    sender = this.chance.pick([HOST, ...NAMES]),
    message = this.#playersMessage(sender),
  ): [Uint8Array, Peer] {
    return [
      this.#written(sender, message),
      this.#at(`203.0.113.${NAMES.indexOf(sender) + 1}`, 4_000),
    ];
  }

  #playersMessage(sender: string): Message {
    const { chance } = this;
    const id = chance.whole(chance.pick([4, 4, 5_000]));
    const session = chance.pick([undefined, 1, 2, chance.whole(50)]);
    const usedGlobal = chance.is(0.5);
    const messages: Message[] = [
      { kind: "inquiry", usedGlobal },
      { kind: "inquiryResponse", usedGlobal },
      { kind: "inquiryResponse", usedGlobal },
      { kind: "check" },
      { kind: "checkResponse" },
      { kind: "unreliable", message: [id] },
      { kind: "reliable", id, message: "é", session },
      { kind: "reliableResponse", id, message: "é", session },
    ];
    if (this.#dialect === 2) {
      const peers = new Map(chance.many(3, () => [chance.pick(NAMES), this.#info()]));
      messages.push(
        { kind: "peerList", action: chance.pick(["add", "remove"]), peers, id },
        { kind: "peerListResponse", id: chance.pick([id, undefined]) },
      );
      if (chance.is(0.1)) messages.push({ kind: "drop", name: sender });
    }
    return chance.pick(messages);
  }

  /** The server tells of somebody, who answers: so it is found. */
  #meet(name: string): void {
    const number = NAMES.indexOf(name) + 1;
    // Its router may have chosen another port than the server saw.
    const at = this.#at(`203.0.113.${number}`, this.chance.is(0.8) ? 4_000 : 4_001);
    this.receive(
      this.#written(null, { kind: "introduction", peer: name, ...this.#info(number) }),
      this.#server,
    );
    const kind = this.chance.pick(["inquiryResponse", "inquiryResponse", "inquiry"] as const);
    this.receive(this.#written(name, { kind, usedGlobal: true }), at);
    this.now += this.chance.below(150);
    this.advance();
  }

  #written(sender: string | null, message: Message): Uint8Array {
    const password = this.chance.is(0.02) ? "wrong" : sender === null ? this.#key : HOST;
    const recipient = this.chance.is(0.95) ? this.#name : "nobody";
    return encode(message, { dialect: this.#dialect, sender, recipient, to: OWN, password });
  }

  /** What the program asks for. */
  #act(): void {
    const { chance, engine } = this;
    const to = chance.pick(NAMES);
    const kind = chance.random();
    const isThere = engine.players.has(to);
    if (kind < 0.3 && isThere) engine.send(to, { a: 1 }, this.now, this);
    else if (kind < 0.9 && isThere && (this.#pending.get(to)?.size ?? 0) < 200) {
      const id = engine.sendReliable(to, "x", this.now, this);
      const pending = this.#pending.get(to) ?? new Set();
      this.#pending.set(to, pending.add(id));
    } else if (kind > 0.97) engine.drop(to, this.now, this);
    else if (kind > 0.965) engine.leaveServer(this);
    else if (kind > 0.96) engine.leave(this.now, this);
  }

  // ---- what it says

  protected onSent(_peer: Peer, bytes: Uint8Array): void {
    assert(!this.#hasEnded, "something behind the end");
    const decoded = decode(bytes);
    assert(decoded.kind === "letter", `it says ${decoded.kind}`);
    const { message, sender, recipient } = decoded;
    assertEquals(sender, this.#name);
    const { kind } = message;
    if (kind === "reliable") {
      this.#asked.push([recipient!, { ...message, kind: "reliableResponse" }]);
    }
    if (kind === "peerList") {
      this.#asked.push([recipient!, { kind: "peerListResponse", id: message.id }]);
    }
    this.saw(`sent ${message.kind}`);
    if (message.kind === "register" || message.kind === "join") this.#key = message.password ?? "";
  }

  protected onEvent(event: PlayerEvent): void {
    assert(!this.#hasEnded, `${event.kind} behind the end`);
    switch (event.kind) {
      case "confirmed":
        assert(!this.#there.has(event.player.name), "confirmed twice");
        this.#there.add(event.player.name);
        return;
      case "lost":
        this.#there.delete(event.name);
        this.#pending.delete(event.name); // What is on its way to somebody lost is not told of.
        return;
      case "receipt":
      case "undelivered":
        assert(this.#pending.get(event.to)?.delete(event.id), `${event.id} was settled before`);
        return;
      case "message":
        return assert(NAMES.includes(event.from));
      case "ended":
        this.#hasEnded = true;
        return;
      case "roundTrip":
        return assert(event.player.roundTripMs! >= 0, `${event.player.roundTripMs} ms`);
      case "registered":
      case "introduced":
      case "serverError":
      case "serverLost":
      case "packet":
      case "refused":
        return;
      default:
        event satisfies never;
    }
  }

  // ---- what is always true

  protected check(): void {
    const { players, ended } = this.engine;
    assertEquals(ended, this.#hasEnded);
    assert(players.size <= PLAYERS_MAX, `${players.size} players`);
    if (!ended) assertEquals(new Set(players.keys()), this.#there);
    const remembered = this.remembered().length;
    // The server; and three addresses of each: global, local, and one its router chose.
    assert(remembered <= 1 + 3 * PLAYERS_MAX, `${remembered} are remembered`);
    if (!ended) return;
    assertEquals([remembered, this.engine.nextDeadline()], [0, Infinity]);
    this.#startAnew();
  }

  #startAnew(): void {
    this.engine = this.#newPlayer();
    this.#hasEnded = false;
    this.#there.clear();
    this.#pending.clear();
    this.#asked.length = 0;
    this.begin();
  }

  protected finish(): void {}
}

/** A player. */
export const PLAYER = engineTarget(
  "rendezvous",
  "rendezvous player",
  (chance, tally) => new PlayerFuzzer(chance, tally),
  {
    reach: {
      kinds: [
        ...every<Exclude<PlayerEvent["kind"], "lost" | "refused" | "ended">>()(
          "registered introduced confirmed roundTrip message receipt undelivered serverError serverLost packet",
        ),
        ...every<LossReason>("lost:")("inquiry check left removed restarted dropped"),
        ...every<EndReason>("ended:")("server refused inquiry host-lost host-left left"),
        ...every<PlayerRefusal>("refused:")(
          "oversize json type fields name address stranger hash full",
        ),
        ...[
          ..."register refresh join inquiry inquiryResponse check checkResponse unreliable".split(
            " ",
          ),
          ..."reliable reliableResponse peerList peerListResponse drop".split(" "),
        ].map((kind) => `sent ${kind}`),
        "sent",
      ],
    },
    seeds: 60,
    actions: 300,
  },
);
