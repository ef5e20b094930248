/** What is said when the computer slept, or when its clock was set. */
import type { Logger } from "@logtape/logtape";
import type { Jump } from "../../home/sleep_watch.ts";

/** Says it, and what follows from it. */
export function jumpLog(logger: Logger): (jump: Jump) => void {
  return ({ kind, ms }) => {
    const seconds = Math.abs(Math.round(ms / 100) / 10);
    if (kind === "asleep") {
      return logger.warning(
        "this computer was asleep, or let nothing run, for {seconds} s: whoever is still there plays on",
        { event: "asleep", seconds },
      );
    }
    if (ms < 0) {
      return logger.warning(
        "the clock of this computer was set back by {seconds} s: only the times in the log run twice",
        { event: "clock-back", seconds },
      );
    }
    logger.warning(
      "the clock of this computer went {seconds} s ahead: it was asleep, or somebody set it; " +
        "whoever is still there plays on",
      { event: "clock-ahead", seconds },
    );
  };
}
