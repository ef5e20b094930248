/** The players of one service: they come, play, suffer, and leave in every way there is. */
import { pick } from "./pick.ts";
import { type Address, homeAddress, type Line } from "./line.ts";
import type { Stage } from "./stage.ts";

/** One player, on a connection of its own. */
export interface Player {
  readonly name: string;
  /** Its way to the server; undefined over TCP. */
  readonly line: Line | undefined;
  /** The server may take it for another one: its address changed, or it came just before a crash. */
  mayChange: boolean;
  /** Does something that the others see. */
  play(): void;
  /** Does what is to be the last for a while. Called again and again until all have seen it. */
  rest(): void;
  /** Leaves, and says so where the protocol has a word for it. */
  leave(): Promise<void>;
}

/** Shorter than any time-out, together with what else happens. */
const CUT_MS = { min: 300, max: 3_000 };
/** Between two cuts a player is heard for so long. */
const CLEAR_MS = 5_000;
/** Whoever came so shortly before a crash may not be known after it. */
const KNOWN_MS = 10_000;

/** All players of one service. */
export abstract class Troupe<P extends Player> {
  readonly stage: Stage;
  readonly service: string;
  readonly players = new Set<P>();
  /** Players at most. */
  readonly size: number;
  readonly #since = new Map<P, number>();
  readonly #entering = new Set<Promise<void>>();

  constructor(service: string, stage: Stage, size: number) {
    this.service = service;
    this.stage = stage;
    this.size = size;
  }

  /**
   * Lets one more in.
   *
   * @param at From there, if it matters.
   * @throws {Error} It did not get in.
   */
  protected abstract enter(at?: Address): Promise<P>;

  /** What is not as it should be when nothing happens any more; undefined when all is. Asked repeatedly. */
  abstract disagreement(): string | undefined;

  /** Everybody is where it should be: from here on that may not change. */
  settled(): void {
    for (const player of this.players) player.mayChange = false;
  }

  /** How many members the service has, if everybody is known; undefined when it may have others. */
  get members(): number | undefined {
    return this.players.size;
  }

  /** Whether someone can come again from the same address. */
  protected get canRestart(): boolean {
    return true;
  }

  /** Whether the service can go on with a player whose address changes. */
  protected canMove(_player: P): boolean {
    return true;
  }

  /** A moment of play: most do something, and to some something is done. */
  beat(): void {
    const { random } = this.stage;
    for (const player of this.players) if (random() < 0.5) player.play();
    if (this.players.size + this.#entering.size < this.size) this.come();
    if (random() < 0.15) this.#stir();
  }

  /** The server crashed: it may not know who had just come. */
  crashed(): void {
    for (const [player, since] of this.#since) {
      if (performance.now() - since < KNOWN_MS) player.mayChange = true;
    }
  }

  /** Nobody suffers any more, and who is on the way in gets in or not. */
  async calmDown(): Promise<void> {
    for (const { line } of this.players) line?.heal();
    await Promise.all(this.#entering);
  }

  /** Whether all places are taken; if not, one more comes. */
  fill(): boolean {
    const missing = this.size - this.players.size;
    if (missing > this.#entering.size) this.come();
    return missing === 0;
  }

  /** Everybody leaves. */
  async end(): Promise<void> {
    await Promise.all(this.#entering);
    await Promise.all([...this.players].map((player) => this.leave(player)));
  }

  /** One more comes, some time soon. */
  protected come(at?: Address): void {
    const entering = this.#enter(at).finally(() => this.#entering.delete(entering));
    this.#entering.add(entering);
  }

  /** A player is gone of its own accord, or the server's. */
  protected lose(player: P): boolean {
    if (!this.players.delete(player)) return false;
    this.#since.delete(player);
    this.stage.book.attendanceOf(this.service).went++;
    return true;
  }

  protected async leave(player: P): Promise<void> {
    if (this.lose(player)) await player.leave();
  }

  async #enter(at: Address | undefined): Promise<void> {
    const { book, server, weather, isCalm } = this.stage;
    const { epoch } = server;
    const attendance = book.attendanceOf(this.service);
    try {
      const player = await this.enter(at);
      // Let in by one life of the server, it may be unknown to the next one.
      if (server.epoch !== epoch || server.wellSince === Infinity) player.mayChange = true;
      this.players.add(player);
      this.#since.set(player, performance.now());
      attendance.came++;
      player.play();
    } catch (error) {
      attendance.failed++;
      // In bad times that is no wonder.
      if (!isCalm || weather.isRough || server.epoch !== epoch) return;
      book.violate(`${this.service}: nobody gets in: ${error}`);
    }
  }

  /** Something happens to somebody. */
  #stir(): void {
    const { random, book } = this.stage;
    const player = pick(random, [...this.players]);
    if (!player) return;
    switch (pick(random, player.line ? UDP_TURNS : TCP_TURNS)!) {
      case "leave":
        book.fault("a player leaves");
        return void this.leave(player);
      case "vanish":
        book.fault("a player vanishes");
        player.line?.cut("both");
        return void this.leave(player);
      case "rebind":
        if (!this.canMove(player)) return;
        book.fault("a router forgets a player's port");
        player.mayChange = true;
        return player.line!.rebind(player.line!.at.hostname);
      case "move":
        if (!this.canMove(player)) return;
        book.fault("a player's address changes");
        player.mayChange = true;
        return player.line!.rebind(homeAddress(random));
      case "restart":
        if (!this.canRestart) return;
        book.fault("a player starts anew on its old address");
        return void this.#restart(player);
      case "cut":
        return this.#cut(player);
    }
  }

  async #restart(player: P): Promise<void> {
    const { at } = player.line!;
    player.line!.cut("both"); // As if it had crashed.
    await this.leave(player);
    this.come(at);
  }

  #cut({ line }: P): void {
    const { random, book, server } = this.stage;
    const now = performance.now();
    if (now - line!.clearSince < CLEAR_MS || now - server.wellSince < CLEAR_MS) return;
    const direction = pick(random, ["out", "in", "both"] as const)!;
    book.fault(`a player's network is cut for up to 3 s: ${CUT_WORDS[direction]}`);
    line!.cut(direction, CUT_MS.min + random() * (CUT_MS.max - CUT_MS.min));
  }
}

const TCP_TURNS = ["leave", "vanish"] as const;
const UDP_TURNS = ["leave", "vanish", "rebind", "move", "restart", "cut", "cut", "cut"] as const;
const CUT_WORDS = { out: "to the server", in: "from it", both: "both ways" };
