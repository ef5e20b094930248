/**
 * Whoever wants in: says whether somebody echoes by UDP and by TCP.
 *
 *     deno run --unstable-net --allow-net router_knock.ts HOST PORT
 *
 * For each line of input it tries both, and prints what it found.
 */
const [hostname = "", port = ""] = Deno.args;
const TRY_MS = 500;
const word = new TextEncoder().encode("knock");

async function knockTcp(): Promise<boolean> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), TRY_MS);
  try {
    using conn = await Deno.connect({ hostname, port: Number(port), signal: late.signal });
    // Whoever lets it in answers at once, or never.
    await conn.write(word);
    const buffer = new Uint8Array(16);
    const read = await Promise.race([conn.read(buffer), whenAborted(late.signal)]) ?? 0;
    return new TextDecoder().decode(buffer.subarray(0, read)) === "knock";
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

function whenAborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
}

async function knockUdp(): Promise<boolean> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
  const timer = setTimeout(() => socket.close(), TRY_MS);
  try {
    await socket.send(word, { transport: "udp", hostname, port: Number(port) });
    const [datagram] = await socket.receive();
    socket.close();
    return new TextDecoder().decode(datagram) === "knock";
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

for await (const _ of Deno.stdin.readable) {
  const [udp, tcp] = await Promise.all([knockUdp(), knockTcp()]);
  console.log(JSON.stringify({ event: "knocked", udp, tcp }));
}
