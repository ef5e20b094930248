/** Numbers as people read them. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const UNITS = ["B", "kB", "MB", "GB"];

/**
 * Three digits that say something, or all before the point.
 *
 * @param {number} value
 */
function digits(value) {
  if (value === 0) return "0";
  if (value >= 99.95) return whole.format(value);
  return value.toFixed(value >= 9.95 ? 1 : 2);
}

/** @param {number} value */
export function count(value) {
  return whole.format(value);
}

/** @param {number} hz */
export function perSecond(hz) {
  return `${Number.isInteger(hz) ? count(hz) : digits(hz)}/s`;
}

/** @param {number} value */
export function bytes(value) {
  let unit = 0;
  let scaled = value;
  while (scaled >= 999.5 && unit < UNITS.length - 1) {
    scaled /= 1_000;
    unit++;
  }
  return `${unit === 0 ? count(scaled) : digits(scaled)} ${UNITS[unit]}`;
}

/** @param {number} value */
export function bytesPerSecond(value) {
  return `${bytes(value)}/s`;
}

/** @param {number} ms */
export function milliseconds(ms) {
  return ms >= 1_000 ? `${digits(ms / 1_000)} s` : `${digits(ms)} ms`;
}

/**
 * How long something has been going on, in its two largest units.
 *
 * @param {number} ms
 */
export function duration(ms) {
  const seconds = Math.floor(ms / 1_000);
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3_600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  if (minutes > 0) return `${minutes} min ${seconds % 60} s`;
  return `${seconds} s`;
}

/** @param {number} ms */
export function ago(ms) {
  return ms < 1_000 ? "now" : `${duration(ms)} ago`;
}

/**
 * The time of the day at the place of the browser.
 *
 * @param {number} time
 */
export function clock(time) {
  return new Date(time).toLocaleTimeString("sv-SE"); // 14:05:09.
}

/**
 * @param {number} value
 * @param {string} one
 * @param {string} many
 */
export function counted(value, one, many) {
  return `${count(value)} ${value === 1 ? one : many}`;
}
