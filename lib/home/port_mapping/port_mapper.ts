/**
 * Keeps ports of this machine open in the router, in the background, for as long as it runs.
 *
 * Search, map, then look in short intervals whether all is as it was; when the router stops answering,
 * search again. Nothing in here ever throws at the program, or keeps it waiting.
 */
import { localAddresses } from "../../hosts/local_addresses.ts";
import { kindOfAddress } from "./addresses.ts";
import { type Gateway, type Mapping, type PortRequest, RefusedError } from "./gateway.ts";
import { ownAddress } from "./own_address.ts";
import { IGD_ERRORS, isForWantOfAddress } from "./refusals.ts";
import { findGateway, type SearchOptions } from "./search.ts";
import { mappedKind, type MappedPort, type RefusalCause, type Verdict } from "./verdict.ts";
import { pause, withTimeLimit } from "../within.ts";

/** Options of a {@link PortMapper}. */
export interface PortMapperOptions extends SearchOptions {
  /** Told what came of it: once for each port, and again whenever that changes. */
  onVerdict: (verdict: Verdict) => void;
  /** How long a router is to keep a mapping that is not renewed. Default 3600. */
  leaseSeconds?: number;
  /** How often is looked whether the router still has the mappings. Default 60000. */
  lookMs?: number;
  /** After how long a router is looked for again, or asked again what it refused. Default 300000. */
  retryMs?: number;
  /** Told of errors that `onVerdict` threw. Default: ignored. */
  onFault?: (error: unknown) => void;
}

const LEASE_SECONDS = 3_600;
/** A week: the most that WANIPConnection:2 lets PortMappingLeaseDuration be. */
const LEASE_SECONDS_MAX = 604_800;
const LOOK_MS = 60_000;
const RETRY_MS = 300_000;
/** Shorter leases are renewed no more often than that, or a router could keep this machine busy. */
const RENEW_MS_MIN = 1_000;
/** How long the end may take. */
const CLOSE_MS = 2_000;

/** What is known of one port. */
interface Slot {
  readonly request: PortRequest;
  /** What was last told of it, to tell nothing twice. */
  told: Verdict | undefined;
  mapped: MappedPort | undefined;
  mapping: Mapping | undefined;
  /** Who may have a mapping of ours: set before it is asked for. */
  askedOf: Gateway | undefined;
  /** When to ask (again), by both clocks: one stands still while the machine sleeps, the other can be set. */
  dueMs: number;
  dueDateMs: number;
}

/** Opens ports in the router. Starts at once and goes on until it is closed. */
export class PortMapper {
  readonly #options: PortMapperOptions;
  readonly #slots: readonly Slot[];
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #ownIps: readonly string[] = [];
  #toldOfAll: Verdict | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Returns at once; what comes of it is told to `onVerdict`.
   *
   * @throws {RangeError} A port is none, or `leaseSeconds` is not from 1 to 604800.
   */
  constructor(requests: readonly PortRequest[], options: PortMapperOptions) {
    for (const { port } of requests) checkRange("a port", port, 65_535);
    checkRange("leaseSeconds", options.leaseSeconds ?? LEASE_SECONDS, LEASE_SECONDS_MAX);
    this.#options = options;
    this.#slots = requests.map(({ transport, port }) => ({
      request: { transport, port },
      told: undefined,
      mapped: undefined,
      mapping: undefined,
      askedOf: undefined,
      dueMs: 0,
      dueDateMs: 0,
    }));
    this.#running = this.#run().catch((error) => this.#fault(error));
  }

  /** Removes the mappings and ends, within two seconds. Calling it again is harmless. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  get #signal(): AbortSignal {
    return this.#stop.signal;
  }

  async #run(): Promise<void> {
    const { lookMs = LOOK_MS, retryMs = RETRY_MS } = this.#options;
    while (!this.#signal.aborted) {
      const gateway = await this.#find();
      if (this.#signal.aborted) return;
      if (gateway) {
        await this.#use(gateway);
      } else {
        const wasMapped = this.#slots.some(({ askedOf }) => askedOf);
        this.#nobodyAnswers();
        await pause(wasMapped ? lookMs : retryMs, this.#signal);
      }
    }
  }

  async #find(): Promise<Gateway | undefined> {
    try {
      const ownIps = this.#options.ownIps ??
        [await ownAddress(), ...localAddresses() ?? []].filter((ip) => ip !== undefined);
      this.#ownIps = [...new Set(ownIps)].filter((ip) => !ip.includes(":"));
      return await findGateway({ ...this.#options, ownIps: this.#ownIps }, this.#signal);
    } catch {
      return undefined; // No permission, no network: nobody answers.
    }
  }

  #nobodyAnswers(): void {
    const mapped = this.#slots.filter(({ mapped }) => mapped);
    for (const slot of mapped) {
      this.#tell(slot, { kind: "lost", ...slot.mapped! });
      slot.mapped = slot.mapping = undefined;
    }
    if (mapped.length > 0 || this.#slots.some(({ told }) => told?.kind === "lost")) return;
    const address = this.#ownIps.find((ip) => kindOfAddress(ip) === "public");
    this.#tellOfAll(address === undefined ? { kind: "no-router" } : { kind: "no-nat", address });
  }

  /** Keeps the mappings in a router for as long as it answers. */
  async #use(gateway: Gateway): Promise<void> {
    const { retryMs = RETRY_MS, lookMs = LOOK_MS } = this.#options;
    let externalIp: string | undefined;
    let rounds = 0;
    try {
      for (; !this.#signal.aborted; rounds++) {
        const before = externalIp;
        externalIp = await gateway.externalIp(this.#signal);
        if (externalIp !== undefined && this.#ownIps.includes(externalIp)) {
          this.#tellOfAll({ kind: "no-nat", address: externalIp });
          return await pause(retryMs, this.#signal);
        }
        const isNew = rounds === 0 || externalIp !== before;
        for (const slot of this.#slots) await this.#keep(slot, gateway, externalIp, isNew);
        await pause(this.#waitMs(), this.#signal);
      }
    } catch (error) {
      if (this.#signal.aborted || rounds > 0) return; // Looked for again at once.
      const reason = `it breaks off (${error instanceof Error ? error.message : String(error)})`;
      for (const slot of this.#slots) this.#refused(slot, gateway, "other", reason);
      await pause(lookMs, this.#signal);
    }
  }

  /** Sees to it that a mapping is there. */
  async #keep(
    slot: Slot,
    gateway: Gateway,
    externalIp: string | undefined,
    isNew: boolean,
  ): Promise<void> {
    const isDue = isNew || performance.now() >= slot.dueMs || Date.now() >= slot.dueDateMs;
    if (!isDue && !slot.mapping) return;
    if (!isDue && await gateway.stillHas(slot.mapping!, this.#signal)) return;
    const { leaseSeconds = LEASE_SECONDS, retryMs = RETRY_MS } = this.#options;
    slot.askedOf = gateway;
    try {
      const mapping = await gateway.map(slot.request, leaseSeconds, this.#signal);
      const granted = mapping.leaseSeconds || leaseSeconds;
      setDue(slot, Math.max(RENEW_MS_MIN, Math.min(granted, leaseSeconds) * 1_000 / 2));
      const { method, router } = gateway;
      slot.mapping = mapping;
      slot.mapped = { method, router, ...mapping, externalIp };
      this.#tell(slot, { kind: mappedKind(externalIp), ...slot.mapped });
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      setDue(slot, retryMs);
      slot.askedOf = undefined;
      this.#refused(slot, gateway, ...causeOf(error, gateway, externalIp));
    }
  }

  #refused(slot: Slot, { method, router }: Gateway, cause: RefusalCause, reason: string): void {
    slot.mapped = slot.mapping = undefined;
    this.#tell(slot, { kind: "refused", method, router, ...slot.request, cause, reason });
  }

  /** Until something is due, or it is time to look. */
  #waitMs(): number {
    const dueMs = Math.min(...this.#slots.map(({ dueMs }) => dueMs)) - performance.now();
    return Math.max(0, Math.min(dueMs, this.#options.lookMs ?? LOOK_MS));
  }

  async #close(): Promise<void> {
    this.#stop.abort();
    const never = new AbortController();
    await withTimeLimit(CLOSE_MS, never.signal, async (signal) => {
      const work = this.#running.then(() =>
        Promise.all(this.#slots.map((slot) => this.#remove(slot, signal)))
      );
      const late = new Promise((resolve) => signal.addEventListener("abort", resolve));
      await Promise.race([work, late]);
    });
  }

  async #remove(slot: Slot, signal: AbortSignal): Promise<void> {
    const { request, mapping, mapped, askedOf } = slot;
    try {
      await askedOf?.unmap(request, mapping?.externalPort ?? request.port, signal);
      if (mapped) this.#tell(slot, { kind: "removed", ...mapped });
    } catch {
      if (mapped) this.#tell(slot, { kind: "lost", ...mapped });
    }
  }

  #tell(slot: Slot, verdict: Verdict): void {
    if (isSame(slot.told, verdict)) return;
    slot.told = verdict;
    this.#toldOfAll = undefined;
    this.#say(verdict);
  }

  #tellOfAll(verdict: Verdict): void {
    if (isSame(this.#toldOfAll, verdict)) return;
    this.#toldOfAll = verdict;
    for (const slot of this.#slots) slot.told = undefined;
    this.#say(verdict);
  }

  #say(verdict: Verdict): void {
    try {
      this.#options.onVerdict(verdict);
    } catch (error) {
      this.#fault(error);
    }
  }

  #fault(error: unknown): void {
    try {
      this.#options.onFault?.(error);
    } catch {
      // It was told.
    }
  }
}

function setDue(slot: Slot, afterMs: number): void {
  slot.dueMs = performance.now() + afterMs;
  slot.dueDateMs = Date.now() + afterMs;
}

function causeOf(
  { code, message }: RefusedError,
  { method }: Gateway,
  externalIp: string | undefined,
): [RefusalCause, string] {
  if (externalIp === undefined && isForWantOfAddress(method, code)) {
    return ["no-public-address", "it has no public address of its own"];
  }
  return [method === "UPnP" && code === IGD_ERRORS.conflict ? "taken" : "other", message];
}

function isSame(before: Verdict | undefined, now: Verdict): boolean {
  return JSON.stringify(before) === JSON.stringify(now);
}

function checkRange(what: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return;
  throw new RangeError(`${what} is ${value}, but has to be a whole number from 1 to ${max}`);
}
