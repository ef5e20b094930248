/**
 * Refuses a number that makes no sense.
 *
 * @throws {RangeError} It is not from `min` to `max`, or no number.
 */
export function checkRange(name: string, value: number, min: number, max = Infinity): void {
  if (value >= min && value <= max) return;
  const range = max === Infinity ? `at least ${min}` : `from ${min} to ${max}`;
  throw new RangeError(`${name} is ${range}, not ${value}`);
}
