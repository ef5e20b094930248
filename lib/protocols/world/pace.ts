/** Of every datagram: 20 bytes of IP header and 8 of UDP header. */
export const PACKET_OVERHEAD_BYTES = 28;
/** So much of a second's bytes may leave at once; */
const BURST_SHARE = 1 / 8;
/** and so many bytes always. */
const BURST_BYTES_MIN = 16_384;
/** What everybody gets at first, and however narrow the line is. */
const PER_SECOND_FIRST = 131_072;
const PER_SECOND_MIN = 16_384;
/** How often the rate is looked at. */
const LOOK_MS = 500;
/** With so few packets their fate says nothing. */
const PACKETS_MIN = 10;
/** A way that takes half as long again as it could has a queue in it, but not for less or more than this. */
const QUEUE_MS_MIN = 100;
const QUEUE_MS_MAX = 200;
/** Then it has to run empty, or the shortest way would soon be one with a queue. */
const EMPTY_MS = 25;
/** For so long the shortest way counts; then perhaps there is another one. */
const SHORTEST_MS = 10_000;
/** ACKs are lost too: a line that loses a fifth each way counts 36 %. Beyond, it is too narrow. */
const LOSS_TOO_MUCH = 0.5;
const LOSS_LITTLE = 0.1;
/** What a line takes, as it has shown, and how much less lets its queue run empty. */
const DRAIN_SHARE = 0.8;
const FASTER_AT_FIRST = 2;
const FASTER = 1.25;
/** While some is lost, for whatever reason. */
const HARDLY_FASTER = 1.05;

/**
 * How many bytes somebody is sent a second: as many as its line takes, up to a limit.
 *
 * A line that is too narrow shows it by a queue, in which everything takes longer, and then by loss. When it
 * does, no more is sent than was acked lately. What finds no room now is not queued here: it stays owed, and
 * later leaves as it is then.
 */
export class Pace {
  readonly #perSecondMax: number;
  #perSecond: number;
  #left: number;
  #at: number;
  #isFirst = true;
  #isDraining = false;
  #shortestMs = new Shortest();
  /** Since the last look. */
  #look: { since: number; spent: number; arrived: number; arrivedBytes: number; lost: number };

  /** @param bytesPerSecond The limit, headers included. */
  constructor(bytesPerSecond: number, now: number) {
    this.#perSecondMax = bytesPerSecond;
    this.#perSecond = Math.min(bytesPerSecond, PER_SECOND_FIRST);
    this.#left = this.#burst;
    this.#at = now;
    this.#look = newLook(now);
  }

  /** Bytes a second at this moment. */
  get bytesPerSecond(): number {
    return this.#perSecond;
  }

  /** Bytes that may leave now; negative when more left than should have. */
  left(now: number): number {
    const more = ((now - this.#at) * this.#perSecond) / 1_000;
    this.#left = Math.min(this.#burst, this.#left + more);
    this.#at = now;
    return this.#left;
  }

  /** Whether messages of so many bytes in so many datagrams may leave now. */
  allows(bytes: number, datagrams: number, now: number): boolean {
    return this.left(now) >= bytes + datagrams * PACKET_OVERHEAD_BYTES;
  }

  /** A datagram of so many bytes leaves. */
  spend(bytes: number): void {
    this.#left -= bytes + PACKET_OVERHEAD_BYTES;
    this.#look.spent += bytes + PACKET_OVERHEAD_BYTES;
  }

  /**
   * A datagram of so many bytes arrived.
   *
   * @param wasLost Whether it was taken as lost before.
   * @param roundTripMs Smoothed.
   */
  onArrived(bytes: number, wasLost: boolean, roundTripMs: number, now: number): void {
    this.#look.arrived++;
    if (wasLost) this.#look.lost = Math.max(0, this.#look.lost - 1);
    this.#look.arrivedBytes += bytes + PACKET_OVERHEAD_BYTES;
    this.#lookAt(roundTripMs, now);
  }

  /** So many packets were lost. */
  onLost(packets: number, roundTripMs: number | undefined, now: number): void {
    this.#look.lost += packets;
    if (roundTripMs !== undefined) this.#lookAt(roundTripMs, now);
  }

  #lookAt(roundTripMs: number, now: number): void {
    this.#shortestMs.add(roundTripMs, now);
    const { since, spent, arrived, arrivedBytes, lost } = this.#look;
    const seconds = (now - since) / 1_000;
    if (now - since < LOOK_MS || arrived + lost < PACKETS_MIN) return;
    this.#look = newLook(now);
    const loss = lost / (arrived + lost);
    const queueMs = roundTripMs - this.#shortestMs.value;
    const most = Math.min(QUEUE_MS_MAX, Math.max(QUEUE_MS_MIN, this.#shortestMs.value / 2));
    const isQueued = queueMs > most;
    this.#isDraining = isQueued || (this.#isDraining && queueMs > EMPTY_MS);
    if (isQueued || loss > LOSS_TOO_MUCH) {
      this.#isFirst = false;
      this.#set(Math.min(this.#perSecond, (DRAIN_SHARE * arrivedBytes) / seconds));
    } else if (!this.#isDraining && spent >= (this.#perSecond * seconds) / 2) {
      // Only who has sent about that much knows that it passes.
      const isClear = loss < LOSS_LITTLE;
      const factor = isClear ? (this.#isFirst ? FASTER_AT_FIRST : FASTER) : HARDLY_FASTER;
      this.#set(this.#perSecond * factor);
    }
  }

  #set(perSecond: number): void {
    this.#perSecond = Math.min(this.#perSecondMax, Math.max(PER_SECOND_MIN, perSecond));
  }

  get #burst(): number {
    return Math.max(BURST_BYTES_MIN, this.#perSecond * BURST_SHARE);
  }
}

function newLook(since: number): {
  since: number;
  spent: number;
  arrived: number;
  arrivedBytes: number;
  lost: number;
} {
  return { since, spent: 0, arrived: 0, arrivedBytes: 0, lost: 0 };
}

/** The least of the last ten to twenty seconds. */
class Shortest {
  #before = Infinity;
  #least = Infinity;
  #since = -Infinity;

  get value(): number {
    return Math.min(this.#before, this.#least);
  }

  add(ms: number, now: number): void {
    if (now - this.#since >= SHORTEST_MS) {
      this.#before = this.#least;
      this.#least = Infinity;
      this.#since = now;
    }
    this.#least = Math.min(this.#least, ms);
  }
}
