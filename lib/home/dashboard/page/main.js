/** The page: takes what the server tells to where it is shown, and what is pressed to the server. */
import { Bans } from "./bans.js";
import { byId, setText } from "./dom.js";
import { bytes, clock, count, counted, duration } from "./format.js";
import { Log } from "./log.js";
import { Server } from "./server.js";
import { Services } from "./service.js";
import { ask, tell } from "./talk.js";

/** @import { MemberReport, Report } from "../../../observe/report.ts" */

/** When the newest report was made. */
let newest = 0;

const log = new Log();
const services = new Services(onAction);
const bans = new Bans(onBan, onUnban);
const server = new Server({
  onHello({ isReadonly, log: lines, history }) {
    document.body.classList.toggle("is-readonly", isReadonly);
    byId("readonly").hidden = !isReadonly;
    byId("ban-form").hidden = isReadonly;
    log.start(lines);
    services.start(history);
  },
  onReport: showReport,
  onLog: (more) => log.add(more),
  onLost: showLost,
});

/** @param {Report} report */
function showReport(report) {
  newest = report.time;
  document.body.classList.remove("is-lost");
  setText(byId("connection"), "Connected");
  setText(byId("version"), report.version);
  setText(byId("uptime"), duration(report.uptimeMs));
  setText(byId("memory"), report.memoryBytes === undefined ? "unknown" : bytes(report.memoryBytes));
  services.update(report.time, report.services);
  bans.update(report.bans);
  const players = report.services.reduce((sum, { members }) => sum + members, 0);
  setText(byId("total"), count(players));
  document.title = `${counted(players, "player", "players")} · netsync`;
}

/** @param {string} why */
function showLost(why) {
  document.body.classList.add("is-lost");
  const since = newest === 0 ? "" : ` What is shown is from ${clock(newest)}.`;
  setText(byId("connection"), `Connection lost. ${why || "Trying again…"}${since}`);
  document.title = "Connection lost · netsync";
}

/**
 * @param {"kick" | "ban"} action
 * @param {string} service
 * @param {MemberReport} member
 */
async function onAction(action, service, { name, address, ip }) {
  const who = name === "" ? address : `${name} (${address})`;
  // One subscriber has a whole network of IPv6, and could take the next address at once.
  const from = ip.includes(":") ? `the /64 network of ${ip}` : ip;
  const isSure = action === "kick"
    ? await ask(
      `Kick ${name || address}?`,
      `${who} is sent away from ${service}, but may come again after a while.`,
      "Kick",
    )
    : await ask(
      `Ban ${from}?`,
      `Nobody gets in from ${from}, at any service, until you lift the ban. There now: ${who}.`,
      "Ban",
    );
  // The row whose button was pressed may be gone, and the focus with it.
  if (document.activeElement === document.body) byId("players").focus();
  if (!isSure) return;
  const error = action === "kick"
    ? await server.act("kick", { service, address })
    : await server.act("ban", { network: ip });
  tell(error ?? (action === "kick" ? `${who} was kicked.` : `Banned: ${from}.`), !!error);
}

/** @param {string} network */
async function onBan(network) {
  const error = await server.act("ban", { network });
  if (error === undefined) tell(`${network} is banned.`);
  return error;
}

/** @param {string} network */
async function onUnban(network) {
  const error = await server.act("unban", { network });
  tell(error ?? `${network} may come in again.`, error !== undefined);
  return error;
}
