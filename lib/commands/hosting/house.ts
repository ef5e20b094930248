/** What the parts of a process of services share. */
import type { Logger } from "@logtape/logtape";
import type { Door } from "../../home/door.ts";
import type { Hosted } from "../../home/hosted.ts";
import type { LogTail } from "../../home/log_tail.ts";
import type { Monitor } from "../../home/monitor.ts";
import type { Options, Values } from "../options.ts";
import type { StopSignal } from "../stop_signal.ts";
import type { Rows } from "./announce.ts";
import type { HostingValues } from "./options.ts";
import type { Outlook } from "./outlook.ts";
import type { ServiceKind } from "./service_kind.ts";

/** A service that is to run. */
export interface Plan {
  kind: ServiceKind;
  port: number;
  /** Of all its options. */
  values: Values<Options>;
}

/** A process of services. */
export interface House {
  readonly values: HostingValues;
  readonly outlook: Outlook;
  /** For what no service says. */
  readonly logger: Logger;
  readonly tail: LogTail;
  readonly services: readonly Hosted[];
  readonly door: Door;
  readonly monitor: Monitor;
  /** What people must know first. */
  readonly rows: Rows;
  readonly stop: StopSignal;
}
