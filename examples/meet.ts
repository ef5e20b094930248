import { RendezvousPeer } from "@netsync/netsync";

// meet.ts SERVER NAME          waits for others, who join by this name
// meet.ts SERVER NAME HOST     joins the host of that name
const [server = "localhost", name = "castle", host] = Deno.args;

const peer = host === undefined
  ? await RendezvousPeer.host(server, { name })
  : await RendezvousPeer.join(server, { name, host });

peer.on("confirmed", ({ name, path }) => console.log(`${name} is here, by its ${path} address`));
peer.on("message", ({ from, message }) => console.log(`${from} says`, message));
peer.on("lost", ({ name, reason }) => console.log(`${name} is gone: ${reason}`));

if (host !== undefined) {
  const arrived = await peer.sendReliable(host, { x: 17, y: 4 });
  console.log(arrived ? `${host} has it` : `${host} never got it`);
  await peer.close();
}
