/** Players of echo, by datagrams of their own: all hear what one says, nothing else, and once in good times. */
import { jsonFormat } from "../../lib/protocols/events/json.ts";
import { type Address, homeAddress, Line } from "./line.ts";
import { Names, type Stage } from "./stage.ts";
import { type Player, Troupe } from "./troupe.ts";

/** What was lost on the way is not repeated by anybody: something new is said. */
const SAY_EVERY_MS = 500;
/** Past the lag of any weather: then no copy is under way. */
const DRAINED_MS = 2_000;
const format = jsonFormat();
const names = new Names();

interface Word {
  player: string;
  count: number;
}

class EchoPlayer implements Player {
  readonly name = names.next("echo");
  readonly line: Line;
  mayChange = false;
  /** How much it said. */
  count = 0;
  /** By player, the last that was heard. */
  readonly heard = new Map<string, number>();
  readonly #conn: Deno.DatagramConn;
  readonly #to: Deno.NetAddr;
  readonly #onHeard: (player: EchoPlayer, word: Word) => void;
  readonly #hearing: Promise<void>;
  #saidAt = -Infinity;
  #sending = Promise.resolve();

  constructor(
    stage: Stage,
    at: Address | undefined,
    onHeard: (player: EchoPlayer, word: Word) => void,
  ) {
    const place = at ?? { hostname: homeAddress(stage.random), port: 0 };
    this.line = new Line(Deno.listenDatagram({ transport: "udp", ...place }));
    this.#conn = stage.weather.around(this.line);
    this.#to = { transport: "udp", hostname: "127.0.0.1", port: stage.ports.echo };
    this.#onHeard = onHeard;
    this.#hearing = this.#hear();
  }

  play(): void {
    this.#saidAt = performance.now();
    const payload = { player: this.name, count: ++this.count };
    const bytes = format.encode({ kind: "event", name: "message", payload });
    this.#sending = this.#sending.then(() => this.#conn.send(bytes, this.#to)).then(() => {});
  }

  rest(): void {
    if (performance.now() - this.#saidAt >= SAY_EVERY_MS) this.play();
  }

  async leave(): Promise<void> {
    await this.#sending;
    this.#conn.close();
    await this.#hearing;
  }

  async #hear(): Promise<void> {
    for await (const [datagram] of this.#conn) {
      const message = format.decode(datagram);
      if (message.kind !== "event" || typeof message.payload !== "string") continue;
      const word = readWord(message.payload);
      if (word) this.#onHeard(this, word);
    }
  }
}

/** Strangers say other things. */
function readWord(text: string): Word | undefined {
  try {
    const { player, count } = JSON.parse(text);
    return typeof player === "string" && typeof count === "number" ? { player, count } : undefined;
  } catch {
    return undefined;
  }
}

/** All players of echo. */
export class EchoTroupe extends Troupe<EchoPlayer> {
  /** How much everybody said, who is there or went a moment ago. */
  readonly #said = new Map<string, EchoPlayer>();
  #calmSince = Infinity;

  constructor(stage: Stage, size: number) {
    super("echo", stage, size);
  }

  protected override enter(at?: Address): Promise<EchoPlayer> {
    const player = new EchoPlayer(this.stage, at, (...heard) => this.#onHeard(...heard));
    this.#said.set(player.name, player);
    return Promise.resolve(player);
  }

  override beat(): void {
    this.#calmSince = Infinity;
    super.beat();
  }

  override async calmDown(): Promise<void> {
    await super.calmDown();
    this.#calmSince = performance.now();
  }

  override disagreement(): string | undefined {
    for (const viewer of this.players) {
      for (const { name, count } of this.players) {
        const heard = viewer.heard.get(name) ?? 0;
        if (heard !== count) return `${viewer.name} heard ${heard} of ${name}, who said ${count}`;
      }
    }
    return undefined;
  }

  override settled(): void {
    super.settled();
    const known = new Set(Array.from(this.players, ({ name }) => name));
    for (const map of [this.#said, ...Array.from(this.players, ({ heard }) => heard)]) {
      for (const name of map.keys()) if (!known.has(name)) map.delete(name);
    }
    this.stage.book.checked("echo: all hear the newest of all", this.players.size ** 2);
  }

  #onHeard(listener: EchoPlayer, { player, count }: Word): void {
    const { book } = this.stage;
    const speaker = this.#said.get(player);
    if (!speaker) return; // Who left before the last calm, and was overtaken by it.
    book.checked("echo: what is heard was said");
    const before = listener.heard.get(player) ?? 0;
    if (count > speaker.count) {
      book.violate(`echo: ${listener.name} heard ${count} of ${player}, who said ${speaker.count}`);
    }
    const isDrained = performance.now() - this.#calmSince > DRAINED_MS;
    if (isDrained && count <= before) {
      book.violate(`echo: ${listener.name} heard ${count} of ${player} twice or late`);
    }
    listener.heard.set(player, Math.max(before, count));
  }
}
