import type { Outbox } from "../protocols/engine.ts";
import type { UdpHost } from "./udp.ts";

/** Calls an engine through its host; what it throws is for the caller. */
export function actOrThrow<Event>(
  host: UdpHost<Event>,
  call: (now: number, out: Outbox<Event>) => void,
): void {
  let thrown: { error: unknown } | undefined;
  host.act((now, out) => {
    try {
      call(now, out);
    } catch (error) {
      thrown = { error };
    }
  });
  if (thrown) throw thrown.error;
}
