/**
 * Reads what a program wrote as JSON, when anybody may have changed it since: each value is checked, and
 * what is wrong is said by its name.
 */

/** One object of it, and where it stands. */
export class Reading {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #where: string;

  /**
   * @param where Its name in messages: `players[3]`.
   * @throws {TypeError} It is no object.
   */
  constructor(value: unknown, where: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new TypeError(`${where} is an object, not ${shown(value)}`);
    }
    this.#fields = value as Record<string, unknown>;
    this.#where = where;
  }

  /** Whether it has a field of this name. */
  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  /**
   * A number from `min` to `max`.
   *
   * @throws {TypeError} It is none.
   */
  number(name: string, min: number, max: number): number {
    const value = this.#get(name);
    const isFine = typeof value === "number" && value >= min && value <= max;
    return isFine ? value : this.#fail(name, `a number from ${min} to ${max}`);
  }

  /**
   * A whole number from `min` to `max`.
   *
   * @throws {TypeError} It is none.
   */
  integer(name: string, min: number, max: number): number {
    const value = this.#get(name);
    return isInteger(value, min, max)
      ? value
      : this.#fail(name, `a whole number from ${min} to ${max}`);
  }

  /**
   * A whole number from `min` to `max`, 64 bits at most, written as text: JSON's own numbers have fewer.
   *
   * @throws {TypeError} It is none.
   */
  bigint(name: string, min: bigint, max: bigint): bigint {
    const value = this.#get(name);
    if (typeof value === "string" && /^-?\d{1,20}$/.test(value)) {
      const number = BigInt(value);
      if (number >= min && number <= max) return number;
    }
    return this.#fail(name, `a whole number from ${min} to ${max} as text`);
  }

  /**
   * Text that has a form in UTF-8.
   *
   * @throws {TypeError} It is none, or longer.
   */
  text(name: string, lengthMax: number): string {
    const value = this.#get(name);
    const isFine = typeof value === "string" && value.length <= lengthMax && value.isWellFormed();
    return isFine ? value : this.#fail(name, `a text of at most ${lengthMax} characters`);
  }

  /**
   * True or false.
   *
   * @throws {TypeError} It is neither.
   */
  flag(name: string): boolean {
    const value = this.#get(name);
    return typeof value === "boolean" ? value : this.#fail(name, "true or false");
  }

  /**
   * Another object.
   *
   * @throws {TypeError} It is none.
   */
  object(name: string): Reading {
    return new Reading(this.#get(name), this.#nameOf(name));
  }

  /**
   * A list of objects.
   *
   * @throws {TypeError} It is none.
   */
  objects(name: string): Reading[] {
    return this.#list(name).map((value, at) => new Reading(value, `${this.#nameOf(name)}[${at}]`));
  }

  /**
   * A list of whole numbers from `min` to `max`.
   *
   * @throws {TypeError} It is none.
   */
  integers(name: string, min: number, max: number): number[] {
    const list = this.#list(name);
    const isFine = (value: unknown): value is number => isInteger(value, min, max);
    return list.every(isFine)
      ? list
      : this.#fail(name, `a list of whole numbers from ${min} to ${max}`);
  }

  /**
   * Refuses a field.
   *
   * @param expected What would be right.
   * @throws {TypeError} Always.
   */
  refuse(name: string, expected: string): never {
    return this.#fail(name, expected);
  }

  #get(name: string): unknown {
    return this.has(name) ? this.#fields[name] : undefined;
  }

  #list(name: string): unknown[] {
    const value = this.#get(name);
    return Array.isArray(value) ? value : this.#fail(name, "a list");
  }

  #fail(name: string, expected: string): never {
    throw new TypeError(`${this.#nameOf(name)} is ${expected}, not ${shown(this.#get(name))}`);
  }

  #nameOf(name: string): string {
    return this.#where === "" ? name : `${this.#where}.${name}`;
  }
}

function isInteger(value: unknown, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}

const SHOWN_MAX = 40;

/** In one line, however large it is. */
function shown(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  return JSON.stringify(value.length > SHOWN_MAX ? `${value.slice(0, SHOWN_MAX)}...` : value);
}
