/** Hosts and guests who meet by the rendezvous server, and then send each other what arrives exactly once. */
import { RendezvousPeer } from "../../lib/clients/rendezvous.ts";
import { type Address, homeAddress, Line } from "./line.ts";
import { pick } from "./pick.ts";
import { Names, type Stage } from "./stage.ts";
import { type Player, Troupe } from "./troupe.ts";

/** So many of all are hosts. */
const HOST_SHARE = 0.34;
/** The server keeps a host that is not heard for so long; */
const VALID_SECONDS = 20;
/** and hosts are heard so often. */
const REFRESH_MS = 4_000;
const CHECK_MS = 3_000;
/** After a crash of the server a host is unknown until it is heard. */
const ENTER_TRIES = 4;
const ENTER_AGAIN_MS = 2_000;
/** A way that was cut lately may be lost by rights. */
const SHAKEN_MS = 15_000;
const REMEMBERED_MAX = 2_000;
const names = new Names();

class RendezvousPlayer implements Player {
  readonly name: string;
  readonly line: Line;
  readonly peer: RendezvousPeer;
  /** Whom it joined; undefined for a host. */
  readonly host: RendezvousPlayer | undefined;
  mayChange = false;
  /** What it got, as `guest/count`. */
  readonly got = new Set<string>();
  /** Messages that are not answered for yet. */
  underWay = 0;
  #count = 0;
  readonly #stage: Stage;

  static async enter(stage: Stage, host: RendezvousPlayer | undefined): Promise<RendezvousPlayer> {
    const name = names.next(host ? "guest" : "host");
    const hostname = homeAddress(stage.random);
    const ways: { line?: Line } = {};
    const options = {
      ...{ name, localAddress: hostname, checkMs: CHECK_MS, refreshMs: REFRESH_MS },
      validSeconds: VALID_SECONDS,
      through(conn: Deno.DatagramConn): Deno.DatagramConn {
        const at: Address = { hostname, port: (conn.addr as Deno.NetAddr).port };
        return stage.weather.around(ways.line = new Line(conn, at));
      },
    };
    const server = `127.0.0.1:${stage.ports.rendezvous}`;
    const peer = host
      ? await RendezvousPeer.join(server, { ...options, host: host.name })
      : await RendezvousPeer.host(server, options);
    return new RendezvousPlayer(stage, name, peer, ways.line!, host);
  }

  private constructor(
    stage: Stage,
    name: string,
    peer: RendezvousPeer,
    line: Line,
    host: RendezvousPlayer | undefined,
  ) {
    this.#stage = stage;
    this.name = name;
    this.peer = peer;
    this.line = line;
    this.host = host;
    peer.on("message", ({ from, message }) => this.#onMessage(from, message));
  }

  /** Whether its way was disturbed lately. */
  get isShaken(): boolean {
    return this.mayChange || performance.now() - this.line.clearSince < SHAKEN_MS;
  }

  play(): void {
    if (this.host && this.peer.players.has(this.host.name)) void this.#send(this.host);
  }

  rest(): void {}

  leave(): Promise<void> {
    return this.peer.close();
  }

  async #send(host: RendezvousPlayer): Promise<void> {
    const count = ++this.#count;
    this.underWay++;
    const hasArrived = await this.peer.sendReliable(host.name, count);
    this.underWay--;
    if (!hasArrived) return; // One of them left, or will be missed by the other.
    const { book } = this.#stage;
    book.checked("rendezvous: what is said to have arrived did");
    if (host.got.has(`${this.name}/${count}`)) return;
    book.violate(
      `rendezvous: ${host.name} did not get ${count} of ${this.name}, but answered for it`,
    );
  }

  #onMessage(from: string, message: unknown): void {
    const { book } = this.#stage;
    const key = `${from}/${message}`;
    book.checked("rendezvous: a reliable message comes once");
    if (this.got.has(key)) book.violate(`rendezvous: ${this.name} got ${key} twice`);
    this.got.add(key);
    if (this.got.size <= REMEMBERED_MAX) return;
    for (const oldest of this.got) return void this.got.delete(oldest);
  }
}

/** All hosts and guests. */
export class RendezvousTroupe extends Troupe<RendezvousPlayer> {
  constructor(stage: Stage, size: number) {
    super("rendezvous", stage, size);
  }

  /** Hosts are known until they expire. */
  override get members(): undefined {
    return undefined;
  }

  protected override get canRestart(): boolean {
    return false;
  }

  /** A host's guests know it by its address. */
  protected override canMove({ host }: RendezvousPlayer): boolean {
    return host !== undefined;
  }

  protected override async enter(): Promise<RendezvousPlayer> {
    for (let tries = 1;; tries++) {
      try {
        const player = await RendezvousPlayer.enter(this.stage, this.#hostToJoin());
        player.peer.on("ended", ({ reason }) => this.#onEnded(player, reason));
        return player;
      } catch (error) {
        if (tries === ENTER_TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, ENTER_AGAIN_MS));
      }
    }
  }

  /** One place is free for somebody new: who was registered before is still found. */
  override async calmDown(): Promise<void> {
    await super.calmDown();
    const guest = [...this.players].find(({ host }) => host);
    if (guest) await this.leave(guest);
  }

  override disagreement(): string | undefined {
    for (const { name, host, peer, underWay } of this.players) {
      if (!host) continue;
      if (!this.players.has(host)) return `${name} is there, but its host ${host.name} is gone`;
      if (!peer.players.has(host.name)) return `${name} does not know its host ${host.name}`;
      if (!host.peer.players.has(name)) return `${host.name} does not know its guest ${name}`;
      if (underWay > 0) return `${underWay} messages of ${name} are not answered for`;
    }
    return undefined;
  }

  override settled(): void {
    super.settled();
    this.stage.book.checked("rendezvous: guests and hosts have each other", this.players.size);
  }

  #hostToJoin(): RendezvousPlayer | undefined {
    const hosts = [...this.players].filter(({ host }) => !host);
    return hosts.length < HOST_SHARE * this.size ? undefined : pick(this.stage.random, hosts);
  }

  #onEnded(player: RendezvousPlayer, reason: string): void {
    if (!this.lose(player)) return; // It left.
    const { host } = player;
    const isByRights = player.isShaken || !host || !this.players.has(host) || host.isShaken;
    if (!isByRights) {
      this.stage.book.violate(`rendezvous: ${player.name} lost its host ${host.name}: ${reason}`);
    }
  }
}
