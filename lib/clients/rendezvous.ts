import { actOrThrow } from "../hosts/act_or_throw.ts";
import { formatHostPort, type HostPort } from "../hosts/address.ts";
import { localAddresses } from "../hosts/local_addresses.ts";
import { resolveHost } from "../hosts/resolve.ts";
import { UdpHost, type UdpSocket } from "../hosts/udp.ts";
import { canonicalIp } from "../parts/ip.ts";
import type { JsonObject } from "../parts/json.ts";
import type { LossReason } from "../protocols/rendezvous/link.ts";
import type { Dialect, Endpoint } from "../protocols/rendezvous/message.ts";
import { createPlayer } from "../protocols/rendezvous/peer.ts";
import type {
  EndReason,
  Player,
  PlayerEvent,
  RemotePlayer,
} from "../protocols/rendezvous/player.ts";
import { Listeners } from "./listeners.ts";
import { openTowards, type SocketOptions, targetOf } from "./reach.ts";

/** The port a rendezvous server listens on unless told otherwise. */
export const RENDEZVOUS_PORT = 5_160;

/** Options of {@link RendezvousPeer.open}. */
export interface RendezvousPeerOptions extends SocketOptions {
  /** The own name, from 1 to 64 characters. A host is joined by it. */
  name: string;
  /** The name of the host to join. Left out: be a host. */
  host?: string;
  /** 1, the documented one, or 2, with passwords and all players linked. Everybody's must be the same. Default 1. */
  dialect?: Dialect;
  /** Dialect 2: what only the players of this game know. */
  password?: string;
  /**
   * The own IP address on the local network, told to players on the same one. Default: found out, which
   * takes `--allow-sys=networkInterfaces`; without it players on the same network may not connect.
   */
  localAddress?: string;
  /** The local UDP port. Default: any free one. */
  port?: number;
  /** How long the server keeps a host's registration without a refresh, in seconds. Default 60. */
  validSeconds?: number;
  /** How often a host refreshes it. Default 15,000. */
  refreshMs?: number;
  /** How often the others are asked whether they are there. Default 15,000. */
  checkMs?: number;
  /** Other players at most. Default 64. */
  playersMax?: number;
}

/** The events of a {@link RendezvousPeer} and what their listeners get. */
export interface RendezvousPeerEvents {
  /** Players can join from now on. */
  registered: { server: string };
  /** The server, or in dialect 2 the host, told where somebody is. */
  introduced: { name: string; globalAddress: Endpoint; localAddress: Endpoint };
  /** Somebody answered: messages can be exchanged. */
  confirmed: RemotePlayer;
  /** A newer round-trip time of somebody. */
  roundTrip: RemotePlayer;
  /** A message; reliable ones arrive once, others perhaps twice or never, both in any order. */
  message: { from: string; message: unknown; reliable: boolean };
  /** A reliable message arrived. */
  receipt: { to: string; id: number; message: unknown };
  /** A reliable message was sent again and again and never answered for. */
  undelivered: { to: string; id: number; message: unknown };
  /** Somebody is gone, or was never reached. */
  lost: { name: string; reason: LossReason };
  /** The server refused something. Who has players keeps them; a host that was registered asks again. */
  serverError: { message: string };
  /** The server does not answer a host any more. It goes on asking. */
  serverLost: Record<never, never>;
  /** Any valid datagram, with its fields as they came. */
  packet: { from: string; fields: JsonObject };
  /** The session is over, in plain words why; nothing comes after this. */
  ended: { reason: EndReason; message: string };
}

/** Why nobody could be reached. */
export class RendezvousError extends Error {
  /** The name of the class. */
  override readonly name = "RendezvousError";
  /** Which step failed. */
  readonly reason: EndReason;

  /** Made by {@link RendezvousPeer}. */
  constructor(reason: EndReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/**
 * One player of a game without a server: found through a rendezvous server, netsync's or the original
 * one, and then in direct contact, through routers (NATs) too.
 *
 * ```ts
 * import { RendezvousPeer } from "@netsync/netsync";
 *
 * const host = await RendezvousPeer.host("rendezvous.example", { name: "castle" });
 * host.on("message", ({ from, message }) => host.send(from, { echo: message }));
 * ```
 *
 * Needs `--allow-net` and, as Deno's UDP sockets do, `"unstable": ["net"]` in deno.json.
 */
export class RendezvousPeer implements AsyncDisposable {
  /** Settles when the session has begun: registered, or the host is reached. */
  readonly ready: Promise<void>;
  /** The own address as others on the same network are told it; `0.0.0.0` when it is not known. */
  readonly local: Endpoint;
  readonly #options: RendezvousPeerOptions;
  readonly #server: HostPort;
  readonly #listeners = new Listeners<RendezvousPeerEvents>();
  readonly #receipts = new Map<string, (arrived: boolean) => void>();
  readonly #begun = Promise.withResolvers<void>();
  readonly #engine: Player;
  readonly #host: UdpHost<PlayerEvent>;
  #hostAt: { globalAddress: Endpoint; localAddress: Endpoint } | undefined;
  #serverSaid = "";
  #wrongHash = false;

  /**
   * Registers a game that others can join by name.
   *
   * @param server `HOST`, `HOST:PORT`, `[IPv6]:PORT` or both parts apart; the port is 5160 if left out.
   * @throws {TypeError} `server` is no address.
   * @throws {RangeError} A name or address in the options is none.
   * @throws {RendezvousError} The server does not answer, or the name is taken.
   */
  static async host(
    server: string | HostPort,
    options: Omit<RendezvousPeerOptions, "host">,
  ): Promise<RendezvousPeer> {
    return await (await RendezvousPeer.open(server, { ...options, host: undefined })).#whenReady();
  }

  /**
   * Joins a host and waits until it can be talked to. Parameters and errors as `host` has them; and
   * nobody is registered by that name, or there is no way to it.
   */
  static async join(
    server: string | HostPort,
    options: RendezvousPeerOptions & { host: string },
  ): Promise<RendezvousPeer> {
    return await (await RendezvousPeer.open(server, options)).#whenReady();
  }

  /** Begins without waiting for success: for who wants to see each step. `ready` tells the outcome. */
  static async open(
    server: string | HostPort,
    options: RendezvousPeerOptions,
  ): Promise<RendezvousPeer> {
    const target = targetOf(server, RENDEZVOUS_PORT);
    const ips = await resolveHost(target.hostname);
    // IPv4 first: it is what NATs are about, and what the other players most likely have.
    ips.sort((one, other) => Number(one.includes(":")) - Number(other.includes(":")));
    const local = localIp(options.localAddress, ips[0]!);
    const socket = await openTowards(ips, options);
    try {
      return new RendezvousPeer(target, ips, options, socket, { ip: local, port: socket.port });
    } catch (error) {
      for (const conn of socket.conns) conn.close();
      throw error;
    }
  }

  private constructor(
    server: HostPort,
    ips: readonly string[],
    options: RendezvousPeerOptions,
    socket: UdpSocket,
    local: Endpoint,
  ) {
    this.#server = server;
    this.local = local;
    this.#options = options;
    this.ready = this.#begun.promise;
    this.ready.catch(() => {}); // Whoever does not look at it hears of it by `ended`.
    this.#engine = createPlayer({
      ...options,
      local,
      random: () => crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32,
      peerAt: (ip, port) => this.#host.peerAt(ip, port),
    });
    this.#host = new UdpHost(this.#engine, socket, {
      onEvent: (event) => this.#onEvent(event),
      onFault: reportError,
    });
    const servers = ips.map((ip) => this.#host.peerAt(ip, server.port));
    this.#host.act((now, out) => this.#engine.connect(servers, now, out));
  }

  /** The own name. */
  get name(): string {
    return this.#options.name;
  }

  /** Whether others join this one. */
  get isHost(): boolean {
    return this.#options.host === undefined;
  }

  /** Everybody who can be talked to, by name. */
  get players(): ReadonlyMap<string, RemotePlayer> {
    return this.#engine.players;
  }

  /**
   * Calls `listener` for every event of a kind. What it throws goes to `reportError`.
   *
   * @returns A function that ends it.
   */
  on<E extends keyof RendezvousPeerEvents>(
    kind: E,
    listener: (event: RendezvousPeerEvents[E]) => void,
  ): () => void {
    return this.#listeners.on(kind, listener);
  }

  /**
   * Sends a message that may get lost.
   *
   * @param message Any JSON value, up to about 8,000 bytes.
   * @throws {RangeError} Nobody of this name is confirmed, or the message cannot be sent.
   */
  send(to: string, message: unknown): void {
    this.#act((now, out) => this.#engine.send(to, message, now, out));
  }

  /**
   * Sends a message again until it is answered for.
   *
   * @returns Whether it arrived. False after about 15 s, or when the receiver is lost before.
   * @throws {RangeError} As `send`; or 256 messages to this player are on their way.
   */
  sendReliable(to: string, message: unknown): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#act((now, out) => {
      const id = this.#engine.sendReliable(to, message, now, out);
      this.#receipts.set(keyOf(to, id), resolve);
    });
    return promise;
  }

  /** Drops another player. */
  drop(name: string): void {
    this.#act((now, out) => this.#engine.drop(name, now, out));
  }

  /** Has no more to do with the rendezvous server: nobody new can join. */
  leaveServer(): void {
    this.#act((_now, out) => this.#engine.leaveServer(out));
  }

  /** Leaves the game. */
  async close(): Promise<void> {
    this.#act((now, out) => this.#engine.leave(now, out));
    await this.#host.close();
  }

  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #whenReady(): Promise<RendezvousPeer> {
    await this.ready;
    return this;
  }

  #act(call: Parameters<UdpHost<PlayerEvent>["act"]>[0]): void {
    actOrThrow(this.#host, call);
  }

  #onEvent(event: PlayerEvent): void {
    switch (event.kind) {
      case "registered":
        this.#begun.resolve();
        return this.#listeners.tell("registered", { server: event.server.address });
      case "introduced":
        if (event.name === this.#options.host) this.#hostAt = event;
        return this.#listeners.tell("introduced", event);
      case "confirmed":
        if (event.player.name === this.#options.host) this.#begun.resolve();
        return this.#listeners.tell("confirmed", event.player);
      case "roundTrip":
        return this.#listeners.tell("roundTrip", event.player);
      case "receipt":
      case "undelivered":
        this.#settle(keyOf(event.to, event.id), event.kind === "receipt");
        return this.#listeners.tell(event.kind, event);
      case "lost":
        for (const key of this.#receipts.keys()) {
          if (key.startsWith(`${event.name}\n`)) this.#settle(key, false);
        }
        return this.#listeners.tell("lost", event);
      case "packet":
        return this.#listeners.tell("packet", { from: event.from.address, fields: event.fields });
      case "refused":
        if (event.reason === "hash") this.#wrongHash = true;
        return;
      case "serverError":
        this.#serverSaid = event.message;
        return this.#listeners.tell("serverError", event);
      case "message":
        return this.#listeners.tell("message", event);
      case "serverLost":
        return this.#listeners.tell("serverLost", {});
      case "ended":
        return this.#onEnded(event.reason);
      default:
        event satisfies never;
    }
  }

  #onEnded(reason: EndReason): void {
    for (const key of this.#receipts.keys()) this.#settle(key, false);
    const message = this.#explain(reason);
    this.#begun.reject(new RendezvousError(reason, message));
    this.#listeners.tell("ended", { reason, message });
    void this.#host.close();
  }

  #settle(key: string, arrived: boolean): void {
    this.#receipts.get(key)?.(arrived);
    this.#receipts.delete(key);
  }

  /** What went wrong, and what to try. */
  #explain(reason: EndReason): string {
    const { host, name } = this.#options;
    const server = formatHostPort(this.#server.hostname, this.#server.port);
    switch (reason) {
      case "server":
        return `no answer from the rendezvous server ${server} (UDP): does it run, is the address ` +
          "right, and do its firewall and yours let UDP through?";
      case "refused":
        if (this.#serverSaid === `${host} not found`) {
          return `no host called "${host}" is registered at ${server}: check the name and the ` +
            "dialect, and that the host still runs";
        }
        if (this.#serverSaid === "server already exists") {
          return `the name "${name}" is taken at ${server}: choose another, or wait a minute if it ` +
            "was yours";
        }
        return `the rendezvous server ${server} says: ${this.#serverSaid}`;
      case "inquiry":
        return this.#wrongHash
          ? `"${host}" answers, but not with the same password: it must be the same on both sides`
          : `"${host}" is registered, but nothing came back from ${this.#hostAddresses()}: one of ` +
            "the routers lets nobody in, or uses another port for every destination. Try another " +
            "network for one of you (a phone's), or forward a UDP port to the host and have it use " +
            "that port";
      case "host-lost":
        return `"${host}" does not answer any more`;
      case "host-left":
        return `"${host}" ended the game`;
      case "left":
        return "the game was left";
    }
  }

  #hostAddresses(): string {
    const { globalAddress, localAddress } = this.#hostAt!;
    return `its public address ${
      formatHostPort(globalAddress.ip, globalAddress.port)
    } or its local one ` +
      formatHostPort(localAddress.ip, localAddress.port);
  }
}

/** Names have no line ends. */
function keyOf(to: string, id: number): string {
  return `${to}\n${id}`;
}

/** The own address towards the server; `0.0.0.0` when nobody told and it may not be asked for. */
function localIp(given: string | undefined, server: string): string {
  if (given !== undefined) {
    const ip = canonicalIp(given);
    if (ip === undefined) throw new RangeError(`localAddress is no IP address: "${given}"`);
    return ip;
  }
  const isIpv6 = server.includes(":");
  if (server === "::1" || server.startsWith("127.")) return server;
  const near = localAddresses()?.find((address) => address.includes(":") === isIpv6);
  return near ?? (isIpv6 ? "::" : "0.0.0.0");
}
