/** What every service takes besides its own options, as `--help` lists it. */
export const HOSTING_NAMES = [
  ...["upnp", "dashboard", "dashboard-readonly", "dashboard-token", "bans"],
  ...["log-level", "log-file", "json", "plain"],
];
