import type { Logger } from "@logtape/logtape";

/** Says that a world stood still because its server did. */
export function logStall(logger: Logger, lostMs: number): void {
  logger.warning(
    "this computer did not let the server run: the world stood still for {lostMs} ms",
    { event: "stalled", lostMs: Math.round(lostMs) },
  );
}
