// Tables: kept frames by day and hour, what each threshold keeps, the settings.

function showHeat() {
  element("heatCard").hidden = !state.camera.are_timed;
  if (!state.camera.are_timed) return;
  const counts = keptByHour();
  let most = 1, firstHour = 23, lastHour = 0;
  for (const hours of counts.values())
    hours.forEach(({ kept, all }, hour) => {
      most = Math.max(most, kept);
      if (all) [firstHour, lastHour] = [Math.min(firstHour, hour), Math.max(lastHour, hour)];
    });
  const hours = Array.from({ length: lastHour - firstHour + 1 }, (_, place) => firstHour + place);
  const table = made("table", { className: "heat" });
  table.append(made("caption", { className: "vh", textContent: "Kept frames by day and hour" }));
  const head = table.createTHead().insertRow();
  head.append(header("day", "col"), ...hours.map((hour) => header(String(hour).padStart(2, "0"), "col")));
  const body = table.createTBody();
  for (const [day, ofHours] of counts) {
    const row = body.insertRow();
    row.append(dayHeader(day), ...hours.map((hour) => heatCell(ofHours[hour], most)));
  }
  element("heat").replaceChildren(table);
}

function keptByHour() {
  const counts = new Map();
  for (let frame = 0; frame < state.camera.frames; frame++) {
    const day = state.camera.dayOf[frame];
    if (!counts.has(day)) counts.set(day, Array.from({ length: 24 }, () => ({ kept: 0, all: 0 })));
    const ofHour = counts.get(day)[Math.floor((localTime(frame) - day * DAY_MS) / HOUR_MS)];
    ofHour.all++;
    ofHour.kept += isKept(frame) ? 1 : 0;
  }
  return counts;
}

const header = (text, scope) => made("th", { scope, textContent: text });

function dayHeader(day) {
  const name = dayText(day * DAY_MS);
  const button = made("button", { type: "button", className: "zoom", textContent: name });
  button.setAttribute("aria-label", `Show only ${name} in the timeline`);
  button.addEventListener("click", () => showDay(day));
  return made("th", { scope: "row" }, button);
}

function heatCell({ kept, all }, most) {
  const cell = made("td");
  if (!all) {
    cell.className = "no-frames";
    return cell;
  }
  cell.textContent = kept || "";
  cell.title = `${kept} of ${all} kept`;
  if (kept) {
    cell.className = "some";
    cell.style.setProperty("--share", kept / most);
  }
  return cell;
}

function showTable() {
  if (!element("tableDetails").open) return;
  const { camera } = state;
  write("rateColumn", camera.are_timed ? "a day" : "share");
  write("megabytesColumn", camera.are_timed ? "MB a day" : "MB");
  const rows = camera.thresholds.map((_, position) => tableRow(position));
  element("table").tBodies[0].replaceChildren(...rows);
}

function tableRow(position) {
  const { camera } = state;
  const totals = totalsOf(camera, position), rates = ratesOf(camera, position);
  const [least, below] = camera.spans[position];
  const value = camera.thresholds[position];
  const name = thresholdText(value, camera.unit) + (position === camera.in_force ? " (in force)" : "");
  const share = camera.are_timed ? rateText(rates.frames) : `${Math.round(100 * rates.frames)}${THIN_SPACE}%`;
  const limit = (bound) => (bound === value ? thresholdText(bound, camera.unit) : scoreBeside(bound, value, camera.unit));
  const span = `${limit(least)} … ${below === null ? "" : limit(below)}`;
  const cells = [grouped(totals.kept), share, rateText(rates.megabytes), totals.gained || "", totals.lost || "", span];
  const row = made("tr", { className: position === state.position ? "chosen" : "" }, header(name, "row"));
  row.append(...cells.map((text) => made("td", { textContent: text })));
  return row;
}

function showSettings() {
  const lines = state.camera.settings.map(([key, value]) => `${key} = ${value}`);
  write("settings", `${state.camera.table}\n${lines.join("\n")}`);
}
