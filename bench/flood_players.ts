/**
 * Players of any service, for `bench/flood.ts`: each says something 20 times a second and waits to hear of it.
 *
 *     deno run --allow-net bench/flood_players.ts SERVICE PORT PLAYERS
 *
 * Each has an address of its own, 127.0.0.2 and up. What counts as heard: in sync its state in a snapshot, in
 * the arena that it moves the other way, in echo its message, in messages that another player hears it, in
 * rendezvous that it is registered, in the world the ACK. It is told by lines: `measure` begins, `report` tells.
 */
import { Histogram } from "../lib/parts/histogram.ts";
import { MessageClient } from "../lib/clients/message_client.ts";
import { NetworkMessage } from "../lib/protocols/messages/message.ts";
import { type Talk, TALKS } from "./flood_talks.ts";

const [service, port, count] = [Deno.args[0]!, Number(Deno.args[1]), Number(Deno.args[2])];
const HZ = 20;
/** What is heard of so late counts as lost: newer ones were heard of before. */
const LATE_MS_MAX = 2_000;
/** Who has heard nothing for so long begins anew, as clients do. */
const ASK_AGAIN_MS = 1_000;
/** What is not heard of so soon is lost by the time of a report. */
const REPORT_MS = 500;
const utf8 = new TextEncoder();
const latin1 = new TextDecoder("latin1");
const latencyMs = new Histogram();
const lateMs = new Histogram();
const players: Player[] = [];
const target = { transport: "udp", hostname: "127.0.0.1", port } as const;

/** What carries a player's bytes. */
interface Line {
  send: (bytes: Uint8Array) => void;
  isOpen: () => boolean;
}

class Player {
  readonly talk: Talk;
  readonly #sentAt = new Map<number, number>();
  readonly #line: Line;
  #turn = 0;
  #askedAt = -Infinity;
  heardAt = -Infinity;
  sent = 0;
  lost = 0;
  rejoins = 0;

  private constructor(talk: Talk, open: (hear: (bytes: Uint8Array) => void) => Line) {
    this.talk = talk;
    this.#line = open((bytes) => this.#hear(bytes));
  }

  static udp(talk: Talk, hostname: string): Player {
    return new Player(talk, (hear) => {
      const conn = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
      void receive(conn, hear);
      return { send: (bytes) => void conn.send(bytes, target).catch(() => {}), isOpen: () => true };
    });
  }

  static async tcp(talk: Talk): Promise<Player> {
    const client = new MessageClient();
    const connected = await client.connect("127.0.0.1", port);
    if (!connected.ok) throw new Error(connected.reason);
    return new Player(talk, (hear) => {
      void read(client, hear);
      return {
        send: (bytes) => void client.send(new NetworkMessage(latin1.decode(bytes))),
        isOpen: () => client.isConnected,
      };
    });
  }

  /** Heard of something lately. */
  get isIn(): boolean {
    return this.#line.isOpen() && this.talk.isIn() && performance.now() - this.heardAt < 3_000;
  }

  go(now: number): void {
    for (const [turn, at] of this.#sentAt) {
      if (now - at < LATE_MS_MAX) break;
      this.#sentAt.delete(turn);
      this.lost++;
    }
    if (!this.talk.isIn() || now - this.heardAt > 5 * ASK_AGAIN_MS) {
      if (now - this.#askedAt < ASK_AGAIN_MS) return;
      if (this.heardAt > -Infinity) this.rejoins++;
      this.#askedAt = now;
      this.#line.send(this.talk.hello());
      if (!this.talk.isIn()) return;
    }
    this.#turn++;
    this.sent++;
    this.#sentAt.set(this.#turn, now);
    this.#line.send(this.talk.play(this.#turn));
  }

  /** What was not heard of, of what was said long enough ago; and how much that was. */
  losses(now: number): { lost: number; of: number } {
    const pending = [...this.#sentAt.values()];
    const old = pending.filter((at) => now - at > REPORT_MS).length;
    return { lost: this.lost + old, of: this.sent - pending.length + old };
  }

  clear(): void {
    this.#sentAt.clear();
    this.sent = this.lost = this.rejoins = 0;
  }

  #hear(bytes: Uint8Array): void {
    const now = performance.now();
    const { replies, heard, speaker } = this.talk.hear(bytes);
    for (const reply of replies) this.#line.send(reply);
    if (this.talk.isIn() && this.heardAt === -Infinity) this.heardAt = now;
    const whose = speaker === undefined ? this : players[speaker];
    for (const turn of heard) whose?.heardOf(turn, now);
  }

  heardOf(turn: number, now: number): void {
    this.heardAt = now;
    const at = this.#sentAt.get(turn);
    if (at === undefined) return;
    latencyMs.record(now - at);
    this.#sentAt.delete(turn);
    if (!this.talk.isNewestOnly) return;
    // What was said before is not heard of any more.
    for (const older of this.#sentAt.keys()) {
      if (older >= turn) return;
      this.#sentAt.delete(older);
      this.lost++;
    }
  }
}

async function receive(conn: Deno.DatagramConn, hear: (bytes: Uint8Array) => void): Promise<void> {
  const buffer = new Uint8Array(65_536);
  for (;;) {
    try {
      hear((await conn.receive(buffer))[0]);
    } catch {
      await pause(1);
    }
  }
}

async function read(client: MessageClient, hear: (bytes: Uint8Array) => void): Promise<void> {
  for await (const { body } of client) hear(utf8.encode(body));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function say(event: string, facts: Record<string, number>): void {
  console.log(JSON.stringify({ event, ...facts }));
}

const talk = TALKS[service]!;
for (let index = 0; index < count; index++) {
  const its = talk(index, count);
  players.push(
    service === "messages" ? await Player.tcp(its) : Player.udp(its, `127.0.0.${2 + index}`),
  );
}

async function play(): Promise<void> {
  const startedAt = performance.now();
  for (let turn = 0;; turn++) {
    const dueAt = startedAt + 1_000 * turn / (HZ * count);
    const waitMs = dueAt - performance.now();
    if (waitMs > 0) await pause(waitMs);
    const now = performance.now();
    lateMs.record(Math.max(0, now - dueAt));
    players[turn % count]!.go(now);
  }
}

void play();
const inNow = (): number => players.filter((player) => player.isIn).length;
for (const giveUpAt = performance.now() + 15_000; inNow() < count;) {
  if (performance.now() > giveUpAt) break;
  await pause(20);
}
say("playing", { players: inNow() });
for await (const chunk of Deno.stdin.readable) {
  const line = new TextDecoder().decode(chunk).trim();
  if (line === "measure") {
    for (const histogram of [latencyMs, lateMs]) histogram.clear();
    for (const player of players) player.clear();
    continue;
  }
  const sum = (of: (player: Player) => number): number => players.reduce((n, p) => n + of(p), 0);
  const losses = players.map((player) => player.losses(performance.now()));
  const [lost, of] = (["lost", "of"] as const)
    .map((key) => losses.reduce((sum, each) => sum + each[key], 0)) as [number, number];
  say("report", {
    in: inNow(),
    lossPercent: of > 0 ? 100 * lost / of : 100,
    rejoins: sum((player) => player.rejoins),
    latencyMsP50: latencyMs.percentile(0.5),
    latencyMsP99: latencyMs.percentile(0.99),
    lateMsP99: lateMs.percentile(0.99),
  });
}
