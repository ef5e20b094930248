/** What the refusals of every event server mean, whatever its events are. */
import type { FormatRefusal } from "../protocols/events/format.ts";
import type { HubRefusal } from "../protocols/events/hub.ts";
import type { RefusalHint } from "./refusals.ts";

/** Hints for {@link FormatRefusal} and {@link HubRefusal}. */
export const EVENT_REFUSALS: Record<FormatRefusal | HubRefusal, RefusalHint> = {
  oversize: { hint: "a datagram above 8192 bytes", level: "debug" },
  syntax: { hint: "a datagram that is not in the format of this protocol", level: "debug" },
  shape: { hint: "a datagram that is no message of this protocol", level: "debug" },
  event: { hint: "a message that this server does not take", level: "debug" },
  stranger: { hint: "an ack from an address that was sent nothing", level: "debug" },
  full: { hint: "every place is taken; raise --max-players for more", level: "warning" },
  "full-network": {
    hint: "too many clients from one address; raise --max-per-ip for more",
    level: "warning",
  },
  rate: { hint: "too much from one address that plays no part", level: "warning" },
  busy: {
    hint: "too much from everywhere: a flood; those who are in are not touched",
    level: "warning",
  },
};
