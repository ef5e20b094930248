/** What all ways to replay a recording have in common: what is said, and how it is stopped. */
import type { Say } from "../home/replay/log.ts";
import type { RecordingFile } from "../home/replay/recording_file.ts";
import { isOutputIdle, printLine, writtenOutput } from "../observe/output.ts";
import { printable } from "../observe/printable.ts";
import { asciiJson } from "../parts/json.ts";
import type { RecordingHeader } from "../parts/recording.ts";
import { VERSION } from "./program.ts";
import { stopSignal } from "./stop_signal.ts";

/** Lines that are printed before it is waited for whoever reads them. */
const LINES_MAX = 256;
const OPTIONS_CHARACTERS_MAX = 1_000;
/** So long a signal may have to wait. */
const BUSY_MS = 50;
/** A year does not fit into one timer. */
const TIMER_MS_MAX = 3_600_000;

/** A recording that is replayed, until its end or a stop signal; a second one ends the process. */
export class ReplaySession implements Disposable {
  readonly file: RecordingFile;
  readonly json: boolean;
  readonly #stop = stopSignal();
  #isStopped = false;
  #lines = 0;
  #breathedAt = performance.now();
  /** Ends a pause. */
  #wake = (): void => {};

  constructor(file: RecordingFile, json: boolean) {
    this.file = file;
    this.json = json;
    void this.#stop.received.then(() => {
      this.#isStopped = true;
      this.#wake();
    });
  }

  /** Whether it was told to stop. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Whether it is time for {@link breathe}. */
  get isBusy(): boolean {
    return this.#lines >= LINES_MAX || performance.now() - this.#breathedAt > BUSY_MS;
  }

  /** Prints a line with the time at which it was. */
  readonly say: Say = (unixMs, text, facts) => {
    const time = new Date(unixMs).toISOString();
    this.#print(this.json ? JSON.stringify({ time, ...facts }) : `${time} ${text}`);
  };

  /** Prints lines about the replay itself. */
  tell(lines: readonly string[], event: string, facts: object): void {
    if (this.json) this.#print(JSON.stringify({ event, ...facts }));
    else lines.forEach((line) => this.#print(line));
  }

  /** Says what it is a recording of. */
  tellHeader(title: string): void {
    const { header } = this.file;
    const { role, version, startedAt, os, options } = header;
    const [by, on] = [printable(version, 40), printable(os, 60)];
    const what = role === "server" ? title : `a client of ${title}`;
    this.tell(
      [
        `recorded: ${what}, from ${printable(startedAt, 40)}, by netsync ${by} on ${on}`,
        `options:  ${printable(JSON.stringify(options), OPTIONS_CHARACTERS_MAX)}`,
      ],
      "recording",
      header,
    );
  }

  /** Says what is missing in what was replayed. */
  tellGaps(): void {
    const { isCut, missing, damage } = this.file.end;
    const notes = [
      missing > 0 ? `${missing} datagrams are missing in the recording` : [],
      isCut && !damage && !this.#isStopped
        ? "the recording has no end: it was cut off, or goes on"
        : [],
    ].flat();
    for (const note of notes) this.note(note);
  }

  /** Says something that people should know about the result. */
  note(note: string): void {
    this.tell([note], "note", { note });
  }

  /** Waits for whoever reads the output, and for signals. */
  async breathe(): Promise<void> {
    if (!isOutputIdle()) await Promise.race([writtenOutput(), this.#stop.received]);
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#lines = 0;
    this.#breathedAt = performance.now();
  }

  /** Waits so long, or until it is told to stop. */
  async pause(ms: number): Promise<void> {
    for (let leftMs = ms; leftMs > 0 && !this.#isStopped; leftMs -= TIMER_MS_MAX) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, Math.min(leftMs, TIMER_MS_MAX));
      await promise;
      clearTimeout(timer);
    }
    this.#breathedAt = performance.now();
  }

  /** Leaves signals to the system again. */
  [Symbol.dispose](): void {
    this.#stop.ignore();
  }

  #print(line: string): void {
    this.#lines++;
    printLine(this.json ? asciiJson(line) : line);
  }
}

/** Whether what is replayed may behave otherwise than it did; in words. */
export function differencesOf({ version, seed, options }: RecordingHeader): string[] {
  return [
    version === VERSION
      ? []
      : `recorded by netsync ${
        printable(version, 40)
      }; this is ${VERSION}, and may answer otherwise`,
    seed === undefined ? "its random numbers are not known: others are taken" : [],
    typeof options.resume === "string"
      ? "it may have gone on from its --resume file: who was in before is not known here"
      : [],
    typeof options.bans === "string" ? "it did not hear the addresses in its --bans file" : [],
  ].flat();
}
