// All together: what is shown when something changes, and the start.

const cameras = REPORT.cameras.map(() => null);

async function cameraAt(place) {
  return (cameras[place] ??= await openedCamera(REPORT.cameras[place], REPORT.reasons));
}

function showAll() {
  showNumbers();
  drawCurve();
  drawTimeline();
  showRest();
}

function showRest() {
  showLine();
  showSheet();
  showHeat();
  showTable();
  showLabels();
}

let restTimer = 0;

// Pictures follow when the threshold rests: dragging stays smooth with 20,000 frames.
function moveTo(position) {
  position = Math.max(0, Math.min(state.camera.positions - 1, position));
  if (position === state.position) return;
  state.position = position;
  showNumbers();
  drawCurve();
  drawTimeline();
  pointAt(-1);
  clearTimeout(restTimer);
  restTimer = setTimeout(showRest, state.camera.frames > 1500 ? 180 : 30);
  history.replaceState(null, "", `#${encodeURIComponent(state.camera.name)}=${state.camera.toml[position]}`);
}

async function chooseCamera(place, position = null) {
  const camera = await cameraAt(place);
  Object.assign(state, { camera, position: position ?? camera.in_force, day: null, cursor: -1 });
  element("allDays").hidden = true;
  for (const [each, button] of [...element("cameras").children].entries())
    button.setAttribute("aria-pressed", each === place);
  write("lede", ledeText(camera));
  element("inexact").hidden = !camera.inexact.length;
  write("inexact", `Not exactly the daemon’s verdicts: ${camera.inexact.join("; ")}.`);
  pointAt(-1);
  showTicks();
  showLegend();
  showSettings();
  showAll();
}

function ledeText(camera) {
  const frames = `${plural(camera.frames, "frame")}${REPORT.cameras.length > 1 || camera.name !== "default" ? ` of ${camera.name}` : ""}`;
  const replayed = "Every threshold here was replayed exactly; none is estimated.";
  if (!camera.are_timed) return `${frames}, in their order: their times mean nothing. ${replayed}`;
  const first = yearText(camera.local.reduce((a, b) => Math.min(a, b)));
  const last = yearText(camera.local.reduce((a, b) => Math.max(a, b)));
  return `${frames}, ${first === last ? first : `${first} to ${last}`}, ${plural(Math.round(10 * camera.days) / 10, "day")}. ${replayed}`;
}

function redraw() {
  drawCurve();
  drawTimeline();
  pointAt(-1);
}

function watchPage() {
  element("slider").addEventListener("input", (event) => moveTo(Number(event.target.value)));
  element("lower").addEventListener("click", () => moveTo(state.position - 1));
  element("higher").addEventListener("click", () => moveTo(state.position + 1));
  element("allDays").addEventListener("click", () => showDay(null));
  element("tableDetails").addEventListener("toggle", showTable);
  element("saveLabels").addEventListener("click", saveLabels);
  element("filter").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    state.filter = button.dataset.filter;
    showSheet();
  });
  for (const button of document.querySelectorAll("[data-do]"))
    button.addEventListener("click", button.dataset.do === "looks" ? startLooks : copyToml);
  watchTimeline();
  watchViewer();
  addEventListener("resize", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    showLegend();
    redraw();
  });
}

// The address may name a camera and a threshold: #c1=2.5x
function chosenByAddress() {
  const text = location.hash.slice(1), cut = text.lastIndexOf("=");
  const place = REPORT.cameras.findIndex((camera) => encodeURIComponent(camera.name) === text.slice(0, cut));
  if (place < 0) return [0, null];
  const position = REPORT.cameras[place].toml.indexOf(text.slice(cut + 1));
  return [place, position < 0 ? null : position];
}

async function start() {
  await openPictures();
  const buttons = REPORT.cameras.map((camera, place) => {
    const button = made("button", { type: "button", textContent: camera.name });
    button.addEventListener("click", () => chooseCamera(place));
    return button;
  });
  element("cameras").replaceChildren(...buttons);
  element("cameras").hidden = buttons.length < 2;
  const [place, position] = chosenByAddress();
  await chooseCamera(place, position);
  watchPage();
  const madeAt = REPORT.made.slice(0, 16).replace("T", " ");
  const against = REPORT.against === null ? "" : ` Compared with ${REPORT.against}.`;
  write("foot", `framegate ${REPORT.version}, ${madeAt} UTC.${against} Times as on the machine that made this page, which asks no network for anything.`);
  document.documentElement.dataset.ready = Math.round(performance.now());
}

start();
