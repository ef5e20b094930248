/** Options of {@link Budget}. */
export interface BudgetOptions {
  /** What a key may spend a second in the long run. */
  perSecond: number;
  /** What it may spend at once. */
  burst: number;
  /** Keys that are kept account of; beyond, the account that was idle longest is closed. */
  keysMax: number;
}

interface Account {
  left: number;
  at: number;
}

/**
 * What each of many keys may still spend: a token bucket for each.
 *
 * Strangers choose the keys, so the number of accounts is bounded; a key without an account has all it
 * may spend at once, and an account that is full again is closed when others come.
 */
export class Budget {
  readonly #options: BudgetOptions;
  /** The one used longest ago first. */
  readonly #accounts = new Map<string, Account>();

  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  /** Accounts kept. */
  get size(): number {
    return this.#accounts.size;
  }

  /** Spends `amount`, if there is so much; otherwise nothing. */
  take(key: string, now: number, amount = 1): boolean {
    const left = this.#left(key, now);
    if (left < amount) return false;
    this.#accounts.delete(key);
    this.#makeRoom(now);
    this.#accounts.set(key, { left: left - amount, at: now });
    return true;
  }

  #left(key: string, now: number): number {
    const { perSecond, burst } = this.#options;
    const account = this.#accounts.get(key);
    return account ? Math.min(burst, account.left + (now - account.at) * perSecond / 1_000) : burst;
  }

  /** Two accounts are looked at for each that is opened, so the idle ones do not stay. */
  #makeRoom(now: number): void {
    let looks = 2;
    for (const key of this.#accounts.keys()) {
      const isFull = this.#left(key, now) >= this.#options.burst;
      if (!isFull && this.#accounts.size < this.#options.keysMax) return;
      this.#accounts.delete(key);
      if (--looks === 0) return;
    }
  }
}

/** Options of {@link SharedBudget}. */
export interface SharedBudgetOptions {
  /**
   * What all keys together may spend a second; a quarter of it at once. Those that keep asking share one half
   * of it, so that the other half is there for whoever asks for the first time.
   */
  perSecond: number;
  /** What one key may spend a second while few ask; twice as much at once. */
  perKeySecond: number;
  /** Keys that are kept account of; beyond, the account that spent something longest ago is closed. */
  keysMax: number;
}

/**
 * Why somebody may not spend more:
 * - `rate`: it has spent its share
 * - `busy`: all together have spent what there is
 */
export type Overspent = "rate" | "busy";

interface Debt {
  /** Past it, something is saved up again. */
  paidUntil: number;
  /** The second in which it last asked. */
  asksIn: number;
}

/** What one key may have saved up, in time. */
const SAVED_MS_MAX = 2_000;
/** Nobody waits longer, whatever it has spent and however many ask. */
const DEBT_MS_MAX = 3_000;
const SECOND_MS = 1_000;
/** So much of a second's spending may be done at once by all together: it keeps others waiting. */
const BURST_SHARE = 1 / 4;
/** What those share that keep asking. */
const REGULARS_SHARE = 1 / 2;

/**
 * What many keys may still spend together: each as much as it likes while they are few, each the same share
 * when they are many. So who asks now and then gets something while thousands of others ask all the time.
 *
 * A flood from more keys than are kept account of, each of which asks once, leaves a newcomer the chance of
 * any of them: then nothing tells them apart.
 */
export class SharedBudget {
  readonly #options: SharedBudgetOptions;
  /** The one that spent something longest ago first. */
  readonly #debts = new Map<string, Debt>();
  #left: number;
  #leftAt = -Infinity;
  /** How many asked in this second, and in the one before. */
  #second = -Infinity;
  #asking = 0;
  #askingBefore = 0;

  constructor(options: SharedBudgetOptions) {
    this.#options = options;
    this.#left = BURST_SHARE * options.perSecond;
  }

  /** Accounts kept. */
  get size(): number {
    return this.#debts.size;
  }

  /**
   * Spends `amount`, if the key owes nothing and there is so much; otherwise nothing.
   *
   * @returns undefined when it is spent, or why it is not.
   */
  take(key: string, now: number, amount = 1): Overspent | undefined {
    this.#begin(now);
    const debt = this.#debts.get(key);
    if (debt) this.#count(debt);
    if (debt && debt.paidUntil >= now) return "rate";
    if (!this.#takeFromAll(now, amount)) return "busy";
    this.#charge(key, debt, now, amount);
    return undefined;
  }

  /** Counts those who ask, second by second. */
  #begin(now: number): void {
    const second = Math.floor(now / SECOND_MS);
    if (second === this.#second) return;
    this.#askingBefore = second === this.#second + 1 ? this.#asking : 0;
    this.#asking = 0;
    this.#second = second;
  }

  #count(debt: Debt): void {
    if (debt.asksIn === this.#second) return;
    debt.asksIn = this.#second;
    this.#asking++;
  }

  #takeFromAll(now: number, amount: number): boolean {
    const { perSecond } = this.#options;
    const saved = this.#left + Math.max(0, now - this.#leftAt) * perSecond / SECOND_MS;
    this.#left = Math.min(BURST_SHARE * perSecond, saved);
    this.#leftAt = now;
    // Also what is more than can be saved is spent, when nothing else was: it has to be paid all the same.
    if (this.#left < Math.min(amount, BURST_SHARE * perSecond)) return false;
    this.#left -= amount;
    return true;
  }

  #charge(key: string, known: Debt | undefined, now: number, amount: number): void {
    const debt = known ?? { paidUntil: -Infinity, asksIn: -Infinity };
    if (known) this.#debts.delete(key);
    else this.#makeRoom(now);
    this.#debts.set(key, debt);
    this.#count(debt);
    const { perSecond, perKeySecond } = this.#options;
    const asking = Math.max(this.#asking, this.#askingBefore);
    const rate = Math.min(perKeySecond, REGULARS_SHARE * perSecond / asking);
    const paidUntil = Math.max(debt.paidUntil, now - SAVED_MS_MAX) + amount * SECOND_MS / rate;
    debt.paidUntil = Math.min(paidUntil, now + DEBT_MS_MAX);
  }

  /** Two accounts are looked at for each that is opened, so the idle ones do not stay. */
  #makeRoom(now: number): void {
    let looks = 2;
    for (const [key, { paidUntil }] of this.#debts) {
      const isIdle = paidUntil <= now - SAVED_MS_MAX;
      if (!isIdle && this.#debts.size < this.#options.keysMax) return;
      this.#debts.delete(key);
      if (--looks === 0) return;
    }
  }
}

/**
 * What a service spends on addresses that have not proved anything, or are not known: each network in it is a
 * key. Members are not charged here, so nothing that strangers do keeps them out.
 */
export interface StrangersOptions {
  /** How many of one network may be in. */
  placesPerNetwork: number;
}

/** Datagrams of strangers that are read, answered and remembered, a second: about a tenth of a core. */
const STRANGERS_DATAGRAMS = 8_000;
/** The same of one network, for each place it has, while there is no flood. */
const STRANGERS_DATAGRAMS_PER_PLACE = 8;
/** Longer datagrams count as several. */
const DATAGRAM_BYTES = 1_024;
/** Bytes sent to strangers a second: what a home's line has to spare. */
const STRANGERS_BYTES = 262_144;
/** The same to one network, for each place it has. */
const STRANGERS_BYTES_PER_PLACE = 1_024;
/** A few places still need what one client needs. */
const PLACES_MIN = 16;
/** Networks that are kept account of, about 150 bytes each. */
const NETWORKS_MAX = 16_384;

/** For the datagrams of strangers that are worth some work, {@link datagramsIn} each. */
export function strangersDatagrams({ placesPerNetwork }: StrangersOptions): SharedBudget {
  return new SharedBudget({
    perSecond: STRANGERS_DATAGRAMS,
    perKeySecond: STRANGERS_DATAGRAMS_PER_PLACE * Math.max(PLACES_MIN, placesPerNetwork),
    keysMax: NETWORKS_MAX,
  });
}

/** What a datagram of so many bytes counts there: reading a long one is more work. */
export function datagramsIn(bytes: number): number {
  return 1 + Math.floor(bytes / DATAGRAM_BYTES);
}

/** For what is sent to strangers: its bytes. */
export function strangersBytes({ placesPerNetwork }: StrangersOptions): SharedBudget {
  return new SharedBudget({
    perSecond: STRANGERS_BYTES,
    perKeySecond: STRANGERS_BYTES_PER_PLACE * Math.max(PLACES_MIN, placesPerNetwork),
    keysMax: NETWORKS_MAX,
  });
}
