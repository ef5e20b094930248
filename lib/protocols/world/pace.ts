/** Of every datagram: 20 bytes of IP header and 8 of UDP header. */
export const PACKET_OVERHEAD_BYTES = 28;
/** So much of a second's bytes may leave at once; */
const BURST_SHARE = 1 / 4;
/** and so many bytes always, or a slow line would get nothing. */
const BURST_BYTES_MIN = 16_384;
/** What everybody gets, however much is lost. */
const PER_SECOND_MIN = 16_384;
/** How often the rate is looked at. */
const LOOK_MS = 1_000;
/** With so few packets their fate says nothing. */
const PACKETS_MIN = 20;
/** ACKs are lost too: a line that loses a fifth each way counts 36 %. Beyond, it is too narrow. */
const LOSS_TOO_MUCH = 0.5;
const LOSS_LITTLE = 0.1;
const SLOWER = 0.7;
const FASTER = 1.25;

/**
 * How many bytes somebody is sent: up to a limit a second, and less while most of it is lost.
 *
 * What finds no room now is not queued. It stays owed, and later leaves as it is then.
 */
export class Pace {
  readonly #perSecondMax: number;
  #perSecond: number;
  #left: number;
  #at: number;
  #lookAt: number;
  #arrived = 0;
  #lost = 0;

  /** @param bytesPerSecond The limit, headers included. */
  constructor(bytesPerSecond: number, now: number) {
    this.#perSecondMax = bytesPerSecond;
    this.#perSecond = bytesPerSecond;
    this.#left = this.#burst;
    this.#at = now;
    this.#lookAt = now + LOOK_MS;
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
  }

  /** So many packets arrived, or were lost. */
  count(fate: "arrived" | "lost", packets: number, now: number): void {
    if (fate === "arrived") this.#arrived += packets;
    else this.#lost += packets;
    const all = this.#arrived + this.#lost;
    if (now < this.#lookAt || all < PACKETS_MIN) return;
    const loss = this.#lost / all;
    const factor = loss > LOSS_TOO_MUCH ? SLOWER : loss < LOSS_LITTLE ? FASTER : 1;
    const most = Math.max(PER_SECOND_MIN, this.#perSecond * factor);
    this.#perSecond = Math.min(this.#perSecondMax, most);
    this.#lookAt = now + LOOK_MS;
    this.#arrived = 0;
    this.#lost = 0;
  }

  get #burst(): number {
    return Math.max(BURST_BYTES_MIN, this.#perSecond * BURST_SHARE);
  }
}
