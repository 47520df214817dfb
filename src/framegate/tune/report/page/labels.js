// What the reader has said about frames, and which thresholds agree with it.

function labelsOf(camera) {
  if (!state.labels.has(camera.name)) {
    const fromFile = ([frame, matters, within]) => [frame, { matters, within, score: null }];
    state.labels.set(camera.name, new Map(camera.labels.map(fromFile)));
  }
  return state.labels.get(camera.name);
}

// A threshold agrees if it was replayed with the verdict that is wanted: as `framegate replay --check` counts.
function agrees(camera, position, frame, label) {
  if (label.matters && label.within) return isAnyKeptWithin(camera, position, frame, 1000 * label.within);
  return isKeptAt(camera, position, frame) === label.matters;
}

function isAnyKeptWithin(camera, position, frame, ms) {
  const isNear = (other) => Math.abs(camera.times[other] - camera.times[frame]) <= ms;
  for (const step of [-1, 1])
    for (let other = frame; other >= 0 && other < camera.frames && isNear(other); other += step)
      if (isKeptAt(camera, position, other)) return true;
  return false;
}

function contradicted(camera, position) {
  return [...labelsOf(camera)].filter(([frame, label]) => !agrees(camera, position, frame, label)).length;
}

// The positions that contradict the fewest labels, as runs of neighbours.
function allowedRuns(camera) {
  const labels = labelsOf(camera);
  if (!labels.size) return { runs: [], contradictions: 0 };
  const counts = camera.thresholds.map((_, position) => contradicted(camera, position));
  const least = Math.min(...counts), runs = [];
  counts.forEach((count, position) => {
    if (count > least) return;
    if (runs.at(-1)?.[1] === position - 1) runs.at(-1)[1] = position;
    else runs.push([position, position]);
  });
  return { runs, contradictions: least };
}

function showLabels() {
  const { camera } = state;
  const labels = [...labelsOf(camera).values()];
  const isLabelled = (packed) => (state.labels.get(packed.name) ?? new Map(packed.labels)).size > 0;
  element("saveLabels").disabled = !REPORT.cameras.some(isLabelled);
  if (!labels.length) {
    write("labelSummary", "None yet.");
    return;
  }
  const { runs, contradictions } = allowedRuns(camera);
  const matter = labels.filter((label) => label.matters).length;
  const name = (position) => thresholdText(camera.thresholds[position], camera.unit);
  const ranges = runs.map(([first, last]) => (first === last ? name(first) : `${name(first)} to ${name(last)}`)).join(", ");
  const counted = `${matter} ${matter === 1 ? "matters" : "matter"}, ${labels.length - matter} ${labels.length - matter === 1 ? "does" : "do"} not. `;
  const found = contradictions
    ? `The best thresholds contradict ${plural(contradictions, "label")}: ${ranges}.`
    : `All agree with ${ranges}: green under the curve.`;
  write("labelSummary", counted + found);
}

// A name that begins with # would be a comment.
const csvField = (text) => (/^#|[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

async function labelsCsv() {
  const lines = ["frame,expected,within"];
  for (const [place, packed] of REPORT.cameras.entries()) {
    if (!cameras[place] && !packed.labels.length) continue;
    const camera = await cameraAt(place);
    for (const [frame, { matters, within }] of labelsOf(camera)) {
      const expected = matters ? "kept" : "dropped";
      lines.push(`${csvField(camera.names[frame])},${expected},${within ? `${within}s` : ""}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

async function saveLabels() {
  const file = new Blob([await labelsCsv()], { type: "text/csv" });
  const link = made("a", { href: URL.createObjectURL(file), download: "labels.csv" });
  link.click();
}
