/** What the load testers have in common: some options, figures in rows, and patience. */
import { flagOption, numberOption } from "./options.ts";

/** How many bots there are, for how long, and what is printed. */
export const LOAD_OPTIONS = {
  count: numberOption({
    placeholder: "N",
    min: 1,
    max: 10_000,
    integer: true,
    fallback: 10,
    help: "players (10)",
  }),
  seconds: numberOption({
    placeholder: "S",
    min: 0.1,
    max: 1_000_000,
    fallback: 10,
    help: "how long to measure, after a second to warm up (10)",
  }),
  json: flagOption("print one JSON object a line; the last one is the summary"),
};

/** Between the moment everybody is in, and measuring. */
export const WARM_UP_MS = 1_000;

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
