/** A router that speaks NAT-PMP (RFC 6886). */
import { canonicalIp } from "../../parts/ip.ts";
import {
  type Gateway,
  type Mapping,
  type PortRequest,
  RefusedError,
  type RouterName,
} from "./gateway.ts";
import {
  decodeNatPmp,
  encodeAddressRequest,
  encodeMapRequest,
  type Epoch,
  hasRestarted,
  NAT_PMP_PORT,
  type NatPmpAnswer,
} from "./nat_pmp.ts";
import { explainRefusal } from "./refusals.ts";
import { closeQuietly, LateError } from "../within.ts";

/**
 * How long an answer is waited for before the question is repeated (RFC 6886, section 3.1). There it goes on
 * to double until 64 s; a router in the same room answers within these, or speaks no NAT-PMP.
 */
const REPEAT_AFTER_MS: readonly number[] = [250, 500, 1_000, 2_000];
/** No answer is longer; a longer one is cut, and read as far as it is known. */
const ANSWER_BYTES = 64;
/** RFC 6886, section 3.5: another version, another opcode. Such a router maps nothing. */
const NOT_SPOKEN: ReadonlySet<number> = new Set([1, 5]);

/** How a router is asked. */
export interface NatPmpOptions {
  /** Default 5351. */
  port?: number;
  /** This machine's address towards it, for people. */
  localIp?: string;
}

/** A router that answered in NAT-PMP, perhaps with no. */
export class NatPmpGateway implements Gateway {
  readonly method = "NAT-PMP";
  readonly router: RouterName;
  readonly #address: Deno.NetAddr;
  readonly #localIp: string | undefined;
  /** How often the router was noticed to have restarted, and when in this count a mapping was made. */
  #restarts = 0;
  readonly #madeAfter = new WeakMap<Mapping, number>();
  #epoch: Epoch | undefined;

  private constructor(ip: string, { port = NAT_PMP_PORT, localIp }: NatPmpOptions) {
    this.router = { name: "", address: ip };
    this.#address = { transport: "udp", hostname: ip, port };
    this.#localIp = localIp;
  }

  /**
   * Asks whether there is such a router.
   *
   * @param ip Its IPv4 address.
   * @throws {LateError} Nobody answers.
   * @throws {RefusedError} Something answers that will map nothing: it speaks another version.
   */
  static async open(
    ip: string,
    options: NatPmpOptions,
    signal: AbortSignal,
  ): Promise<NatPmpGateway> {
    const gateway = new NatPmpGateway(ip, options);
    await gateway.externalIp(signal);
    return gateway;
  }

  async externalIp(signal: AbortSignal): Promise<string | undefined> {
    const isAnswer = (answer: NatPmpAnswer): boolean =>
      answer.kind === "address" || (answer.kind === "error" && answer.opcode === 0);
    const answer = await this.#ask(encodeAddressRequest(), isAnswer, signal);
    if (answer.kind === "error" && NOT_SPOKEN.has(answer.code)) throw refusal(answer.code);
    const ip = answer.kind === "address" ? answer.externalIp : "0.0.0.0";
    return ip === "0.0.0.0" ? undefined : ip;
  }

  async map(request: PortRequest, leaseSeconds: number, signal: AbortSignal): Promise<Mapping> {
    const { transport, port } = request;
    const wish = { transport, port, externalPort: port, lifetimeS: leaseSeconds };
    const answer = await this.#ask(encodeMapRequest(wish), isAnswerFor(request), signal);
    if (answer.kind !== "mapped") throw refusal(answer.kind === "error" ? answer.code : 0);
    const { externalPort, lifetimeS } = answer;
    if (externalPort === 0 || lifetimeS === 0) throw refusal(0);
    const localIp = this.#localIp;
    const mapping = { transport, port, externalPort, localIp, leaseSeconds: lifetimeS };
    this.#madeAfter.set(mapping, this.#restarts);
    return mapping;
  }

  stillHas(mapping: Mapping): Promise<boolean> {
    return Promise.resolve(this.#madeAfter.get(mapping) === this.#restarts);
  }

  async unmap(request: PortRequest, _externalPort: number, signal: AbortSignal): Promise<void> {
    const { transport, port } = request;
    const end = encodeMapRequest({ transport, port, externalPort: 0, lifetimeS: 0 });
    const answer = await this.#ask(end, isAnswerFor(request), signal);
    if (answer.kind === "error") throw refusal(answer.code);
  }

  /** Asks, again and again, until there is an answer to this question. */
  async #ask(
    question: Uint8Array,
    isAnswer: (answer: NatPmpAnswer) => boolean,
    signal: AbortSignal,
  ): Promise<NatPmpAnswer> {
    signal.throwIfAborted();
    const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
    const close = (): void => closeQuietly(socket);
    signal.addEventListener("abort", close);
    const repeating = this.#repeat(socket, question);
    try {
      return await this.#receive(socket, isAnswer);
    } catch {
      signal.throwIfAborted();
      throw new LateError(`no answer from ${this.router.address} in NAT-PMP`);
    } finally {
      signal.removeEventListener("abort", close);
      close();
      repeating.stop();
      await repeating.ended;
    }
  }

  /** Sends a question until it is stopped, and closes the socket when it was sent often enough. */
  #repeat(
    socket: Deno.DatagramConn,
    question: Uint8Array,
  ): { stop(): void; ended: Promise<void> } {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let sending: Promise<void> = Promise.resolve();
    let stopped = false;
    const send = async (tries: number): Promise<void> => {
      const waitMs = REPEAT_AFTER_MS[tries];
      if (waitMs === undefined) return closeQuietly(socket);
      // A network that is away for a moment may be back for the next try.
      await socket.send(question, this.#address).catch(() => {});
      if (!stopped) timer = setTimeout(() => sending = send(tries + 1), waitMs);
    };
    sending = send(0);
    const stop = (): void => {
      stopped = true;
      clearTimeout(timer);
    };
    return {
      stop,
      get ended(): Promise<void> {
        return sending;
      },
    };
  }

  async #receive(
    socket: Deno.DatagramConn,
    isAnswer: (answer: NatPmpAnswer) => boolean,
  ): Promise<NatPmpAnswer> {
    const buffer = new Uint8Array(ANSWER_BYTES);
    while (true) {
      const [datagram, from] = await socket.receive(buffer);
      const { hostname, port } = from as Deno.NetAddr;
      // RFC 6886, section 3.1: what does not come from the router is ignored.
      if (canonicalIp(hostname) !== this.#address.hostname || port !== this.#address.port) continue;
      const answer = decodeNatPmp(datagram);
      if (!answer || !isAnswer(answer)) continue;
      if (answer.kind !== "error") this.#note(answer.epochS);
      return answer;
    }
  }

  #note(epochS: number): void {
    const now = { epochS, atMs: performance.now() };
    if (this.#epoch && hasRestarted(this.#epoch, now)) this.#restarts++;
    this.#epoch = now;
  }
}

function isAnswerFor(request: PortRequest): (answer: NatPmpAnswer) => boolean {
  const { transport, port } = request;
  const opcode = transport === "UDP" ? 1 : 2;
  return (answer) =>
    (answer.kind === "mapped" && answer.transport === transport && answer.port === port) ||
    (answer.kind === "error" && answer.opcode === opcode);
}

function refusal(code: number): RefusedError {
  return new RefusedError(explainRefusal("NAT-PMP", code, ""), code);
}
