/** The live view, where there is a terminal. */
import { LiveConsole } from "../../home/console/console.ts";
import { VERSION } from "../program.ts";
import type { House } from "./house.ts";
import { hasConsole } from "./outlook.ts";

/** Opens it, unless lines were asked for or there is no terminal: then undefined. */
export function openConsole(house: House): LiveConsole | undefined {
  const { values, outlook, tail, monitor, rows, door, stop } = house;
  if (!hasConsole(values, outlook)) return undefined;
  const console = new LiveConsole({
    version: VERSION,
    controls: door,
    onQuit: () => stop.send(),
    rows: rows.all,
  });
  rows.onChange = (): void => console.setRows(rows.all);
  tail.lines.forEach((line) => console.log(line));
  tail.listen((line) => console.log(line));
  monitor.listen((report) => console.show(report));
  return console;
}
