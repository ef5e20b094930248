/** Who is let in: nobody who is banned, and for a moment nobody who was just sent away. */
import { formatHostPort } from "../hosts/address.ts";
import type { BanList } from "../parts/ban_list.ts";
import { Holds } from "../parts/holds.ts";
import { normalizeIp } from "../parts/ip.ts";
import type { Controls } from "./controls.ts";
import type { Hosted } from "./hosted.ts";

/** A client that goes on sending would be back at once; one that is started anew has another port. */
const HOLD_MS = 30_000;

/** What a {@link Door} needs. */
export interface DoorOptions {
  bans: BanList;
  /** The services that it is the door of; more may come. */
  services: readonly Hosted[];
  /** Told after each change of the bans. */
  onBansChanged: () => void;
  onDone: (done: DoorDeed) => void;
}

/** What a {@link Door} did. */
export type DoorDeed =
  /** The service tells it as well. */
  | { readonly kind: "kicked"; readonly address: string; readonly service: string }
  /** `expelled`: how many were sent away. */
  | { readonly kind: "banned"; readonly ban: string; readonly expelled: number }
  | { readonly kind: "unbanned"; readonly ban: string };

/** The door of all services of a process. */
export class Door implements Controls {
  readonly #options: DoorOptions;
  readonly #holds = new Holds();

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  /** Whether nothing is heard of an address; asked for each datagram. */
  readonly isShutOut = (ip: string, port: number): boolean => {
    if (this.#options.bans.has(ip)) return true;
    if (this.#holds.isEmpty || !this.#holds.hasAny(performance.now())) return false;
    return this.#holds.has(formatHostPort(normalizeIp(ip), port), performance.now());
  };

  kick(service: string, address: string): boolean {
    const hosted = this.#options.services.find(({ name }) => name === service);
    const expelled = hosted?.expel((peer) => peer.address === address) ?? 0;
    if (expelled === 0) return false;
    this.#holds.add(address, performance.now(), HOLD_MS);
    this.#options.onDone({ kind: "kicked", address, service });
    return true;
  }

  ban(text: string): string | undefined {
    const { bans, services, onBansChanged, onDone } = this.#options;
    const added = bans.add(text);
    if (!added.ok) return added.reason;
    if (added.isNew) onBansChanged();
    const counts = services.map((service) => service.expel(({ ip }) => bans.has(ip)));
    const expelled = counts.reduce((sum, count) => sum + count, 0);
    onDone({ kind: "banned", ban: added.ban, expelled });
    return undefined;
  }

  unban(text: string): boolean {
    const { bans, onBansChanged, onDone } = this.#options;
    const ban = bans.remove(text);
    if (ban === undefined) return false;
    onBansChanged();
    onDone({ kind: "unbanned", ban });
    return true;
  }
}
