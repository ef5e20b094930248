/** What the load testers have in common: figures in rows, and patience. */

/** `  latency p50                 1.25 ms`. */
export function summaryRow(name: string, value: number, digits: number, unit: string): string {
  return `  ${name.padEnd(22)}${value.toFixed(digits).padStart(10)} ${unit}`;
}

/** The same figures with three digits behind the point; what is no figure is left out. */
export function roundedFigures(report: object): Record<string, number> {
  return Object.fromEntries(
    Object.entries(report)
      .filter((entry): entry is [string, number] => typeof entry[1] === "number")
      .map(([name, value]) => [name, Math.round(value * 1_000) / 1_000]),
  );
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
