// What the reader has chosen, and what follows from it.

const REPORT = JSON.parse(document.getElementById("data").textContent);

const state = {
  camera: null,
  position: 0,
  filter: "kept",
  day: null, // the only one that the timeline shows
  cursor: -1, // the frame that the timeline points at
  labels: new Map(), // by camera: of each labelled frame whether it matters, and the score that was judged
};

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const wantsNoMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

let toastTimer = 0;

function toast(text) {
  write("toast", text);
  element("toast").classList.add("on");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => element("toast").classList.remove("on"), 6000);
}

// A canvas in the screen's own pixels, cleared.
function drawingOn(canvas) {
  const ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  const columns = Math.round(width * ratio), rows = Math.round(height * ratio);
  if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows });
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height, ratio };
}

const isKept = (frame) => isKeptAt(state.camera, state.position, frame);
const score = (frame) => scoreOf(state.camera, state.position, frame);
const reason = (frame) => reasonOf(state.camera, state.position, frame);
const reference = (frame) => referenceOf(state.camera, state.position, frame);
const movesWithSlider = (frame) => scheduleOf(state.camera, state.position, frame) === null;
const threshold = () => state.camera.thresholds[state.position];
const localTime = (frame) => state.camera.local[frame];
