import type { Changes, Entity, Part } from "./world.ts";

/** What a packet brought a client. */
export type Cargo =
  | { readonly kind: "snap"; readonly entity: Entity; readonly time: number }
  | { readonly kind: "diff"; readonly parts: readonly Part[]; readonly time: number }
  | { readonly kind: "removal"; readonly entities: readonly Entity[] }
  | { readonly kind: "heartbeat" };

/** So many that are gone are told one by one; when there are more, a new sync tells it better. */
const REMOVALS_MAX = 2_048;
const BACK_OFF_MS_MAX = 1_000;

/**
 * What a client has to be told still: which objects whole, which traits of others, and which are gone.
 *
 * Only the fact that something is owed is kept, not what it was: when it leaves, it leaves as it is then.
 * Whoever is behind gets the newest, and what changes a hundred times meanwhile is told once.
 */
export class Debts {
  /** Whether the client understands diffs; otherwise each change is a snapshot. */
  hasDiffs: boolean;
  /** Objects to be told whole, and from when on. What is longest owed comes first. */
  readonly snaps = new Map<Entity, number>();
  /** Traits of objects that the client has or is sent a snapshot of. */
  readonly traits = new Map<Entity, Set<string>>();
  /** Objects that are gone. */
  readonly removals = new Set<Entity>();
  /** Objects to be told whole when there is nothing better to do. */
  readonly keyframes = new Set<Entity>();
  /** The tick of the newest snapshot that the client has, by object: its baseline. */
  readonly #baselines = new Map<Entity, number>();
  /**
   * The newest snapshot of each object that a client without diffs was sent: it takes whatever comes last
   * for the newest, so there is one on its way at a time, lest it overtakes another.
   */
  readonly #sent = new Map<Entity, { time: number; isOnTheWay: boolean }>();
  /** How often snapshots were lost since the last that arrived. */
  readonly #losses = new Map<Entity, number>();

  constructor(hasDiffs: boolean) {
    this.hasDiffs = hasDiffs;
  }

  /** Whether nothing is owed, apart from keyframes. */
  get isClear(): boolean {
    return this.snaps.size === 0 && this.traits.size === 0 && this.removals.size === 0;
  }

  /** Whether so much is gone that it is better told by a new sync. */
  get isOverdrawn(): boolean {
    return this.removals.size > REMOVALS_MAX;
  }

  /** The client is told everything, as if it knew nothing. */
  oweAll(entities: Iterable<Entity>, now: number): void {
    this.#baselines.clear();
    this.#losses.clear();
    this.traits.clear();
    this.removals.clear();
    this.keyframes.clear();
    for (const entity of entities) this.snaps.set(entity, now);
  }

  /** A tick's changes are owed. */
  owe({ spawned, changed, reshaped, removed }: Changes, now: number): void {
    for (const entity of spawned) this.snaps.set(entity, now);
    for (const entity of reshaped) this.#oweSnap(entity, now);
    for (const { entity, names } of changed) {
      if (this.hasDiffs) this.#oweTraits(entity, names, now);
      else this.#oweSnap(entity, now);
    }
    for (const entity of removed) this.removals.add(entity);
    this.forget(removed);
  }

  /** Objects are gone: nothing else is to be told of them. */
  forget(entities: readonly Entity[]): void {
    for (const entity of entities) {
      this.snaps.delete(entity);
      this.traits.delete(entity);
      this.keyframes.delete(entity);
      this.#baselines.delete(entity);
      this.#sent.delete(entity);
      this.#losses.delete(entity);
    }
  }

  /** Whether an object may be told whole now: it is there, it is time, and no older one could come after. */
  maySnap(entity: Entity, now: number): boolean {
    return !entity.isRemoved && !this.#sent.get(entity)?.isOnTheWay &&
      (this.snaps.get(entity) ?? now) <= now;
  }

  /** A snapshot leaves: it tells all there is to tell of the object. */
  onSnapSent(entity: Entity, time: number): void {
    this.snaps.delete(entity);
    this.traits.delete(entity);
    this.keyframes.delete(entity);
    if (!this.hasDiffs) this.#sent.set(entity, { time, isOnTheWay: true });
  }

  /** Something arrived. */
  onArrived(cargo: Cargo): void {
    if (cargo.kind !== "snap" || cargo.entity.isRemoved) return;
    const { entity, time } = cargo;
    this.#settle(entity, time);
    this.#losses.delete(entity);
    if (time > (this.#baselines.get(entity) ?? -1)) this.#baselines.set(entity, time);
  }

  /** Something arrived late, or once more: a client without diffs may have taken it for the newest. */
  onLate(cargo: Cargo, now: number): void {
    if (cargo.kind !== "snap") return;
    const { entity, time } = cargo;
    const newest = this.#sent.get(entity);
    if (newest && time < newest.time) this.#oweSnap(entity, now);
  }

  /**
   * Something was lost. It is owed again, apart from what the client was told in another way: in a newer
   * snapshot that arrived, or in a packet that has left since because the trait changed once more.
   *
   * @param backOffMs How long a snapshot waits that was lost twice; longer each time.
   */
  onLost(cargo: Cargo, now: number, backOffMs: number): void {
    switch (cargo.kind) {
      case "snap":
        return this.#onSnapLost(cargo.entity, cargo.time, now, backOffMs);
      case "diff":
        for (const { entity, names } of cargo.parts) {
          if (!entity.isRemoved && !this.snaps.has(entity)) {
            this.#oweLost(entity, names, cargo.time, now);
          }
        }
        return;
      case "removal":
        for (const entity of cargo.entities) this.removals.add(entity);
        return;
      case "heartbeat":
        return;
      default:
        cargo satisfies never;
    }
  }

  #onSnapLost(entity: Entity, time: number, now: number, backOffMs: number): void {
    this.#settle(entity, time);
    const baseline = this.#baselines.get(entity) ?? -1;
    if (entity.isRemoved || this.snaps.has(entity) || baseline >= time) return;
    if (this.hasDiffs && baseline >= entity.reshapedAt) {
      // It has an older one: what changed between the two is all that it may lack.
      return this.#oweLost(entity, [...entity.told.keys()], time, now);
    }
    const losses = this.#losses.get(entity) ?? 0;
    this.#losses.set(entity, losses + 1);
    const waitMs = losses === 0 ? 0 : Math.min(BACK_OFF_MS_MAX, backOffMs * 2 ** (losses - 1));
    this.snaps.set(entity, now + waitMs);
    this.traits.delete(entity);
  }

  /** Traits that were lost, as they were at a tick: those of which nothing newer is known or under way. */
  #oweLost(entity: Entity, names: readonly string[], time: number, now: number): void {
    const baseline = this.#baselines.get(entity) ?? -1;
    const lost = names.filter((name) => {
      const { changedAt = -1 } = entity.told.get(name) ?? {};
      return changedAt > baseline && changedAt <= time;
    });
    if (lost.length > 0) this.#oweTraits(entity, lost, now);
  }

  #settle(entity: Entity, time: number): void {
    const newest = this.#sent.get(entity);
    if (newest?.time === time) newest.isOnTheWay = false;
  }

  #oweSnap(entity: Entity, now: number): void {
    // One that waits to be sent again has something new to tell: it waits no more.
    this.snaps.set(entity, Math.min(now, this.snaps.get(entity) ?? now));
    this.traits.delete(entity);
  }

  #oweTraits(entity: Entity, names: Iterable<string>, now: number): void {
    if (this.snaps.has(entity)) return this.#oweSnap(entity, now);
    const owed = this.traits.get(entity);
    if (!owed) this.traits.set(entity, new Set(names));
    else for (const name of names) owed.add(name);
  }
}
