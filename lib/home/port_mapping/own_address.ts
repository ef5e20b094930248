/** The address this machine has in its network. */
import { SSDP_HOST } from "./ssdp.ts";
import { closeQuietly } from "../within.ts";

/** How long a datagram to oneself may take. */
const ECHO_WITHIN_MS = 250;

/**
 * This machine's address where it would reach a router: the sender of a multicast datagram that it sends to
 * itself, and that never leaves it (time to live 0). Nothing but `--allow-net` is needed for that.
 *
 * @returns undefined when there is no network, or none with multicast.
 */
export async function ownAddress(): Promise<string | undefined> {
  let socket: Deno.DatagramConn | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
    const group = await socket.joinMulticastV4(SSDP_HOST, "0.0.0.0");
    await group.setTTL(0);
    await group.setLoopback(true);
    const secret = crypto.getRandomValues(new Uint8Array(16));
    const { port } = socket.addr as Deno.NetAddr;
    await socket.send(secret, { transport: "udp", hostname: SSDP_HOST, port });
    timer = setTimeout(() => socket?.close(), ECHO_WITHIN_MS);
    while (true) {
      const [datagram, from] = await socket.receive();
      if (String(datagram) === String(secret)) return (from as Deno.NetAddr).hostname;
    }
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
    closeQuietly(socket);
  }
}
