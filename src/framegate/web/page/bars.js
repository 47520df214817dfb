// A camera's last scores as bars: the threshold is at half the height in every card, whatever its value.

const BARS = 32, BARS_WIDTH = 320, BARS_HEIGHT = 56, LINE = BARS_HEIGHT / 2;
const DOUBLINGS = 4; // from the line to either edge: a bar at the top is 16 times the threshold, or more
const STUB = 2;
const SVG = "http://www.w3.org/2000/svg";

function drawn(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

const isOver = ({ score, threshold }) => threshold !== null && score > threshold;
const isClipped = ({ score, threshold }) => threshold !== null && score > threshold * 2 ** DOUBLINGS;

// Above the line means over the threshold: a bar that is so by a hair still shows on which side it is.
function barHeight(compared) {
  const { score, threshold } = compared;
  if (threshold === null || score <= 0) return STUB;
  const above = (LINE / DOUBLINGS) * Math.log2(score / threshold); // infinite over a threshold of 0
  if (isOver(compared)) return LINE + Math.max(STUB, Math.min(LINE, above));
  return Math.max(STUB, Math.min(LINE - STUB, LINE + above));
}

// Three outlines and not 32 bars: for 200 cameras that are 6,000 elements less.
function outlinesOf(scores) {
  const width = BARS_WIDTH / BARS, gap = 2.4, outlines = { over: "", under: "", clipped: "" };
  for (const [place, compared] of scores.entries()) {
    const left = (place + BARS - scores.length) * width + gap / 2, right = left + width - gap;
    const top = BARS_HEIGHT - barHeight(compared);
    outlines[isOver(compared) ? "over" : "under"] += `M${left} ${BARS_HEIGHT}V${top}H${right}V${BARS_HEIGHT}Z`;
    if (isClipped(compared)) outlines.clipped += `M${left - 1} 8L${right + 1} 4`;
  }
  return outlines;
}

function emptyBars() {
  const svg = drawn("svg", { class: "bars", viewBox: `0 0 ${BARS_WIDTH} ${BARS_HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  const across = { x1: 0, x2: BARS_WIDTH, y1: LINE, y2: LINE };
  const outlines = ["over", "under", "clipped"].map((kind) => drawn("path", { class: kind }));
  svg.append(...outlines, drawn("line", { class: "edge", ...across }), drawn("line", { class: "rule", ...across }));
  return svg; // the edge sets the line off from the bars
}

function showBars(svg, scores) {
  const outlines = outlinesOf(scores);
  for (const path of svg.children) if (path.classList[0] in outlines) path.setAttribute("d", outlines[path.classList[0]]);
  svg.setAttribute("aria-label", barsText(scores));
}

function barsText(scores) {
  if (!scores.length) return "No score so far";
  const last = scores.at(-1), over = scores.filter(isOver).length;
  return `The last ${plural(scores.length, "score")}: ${over} over the threshold. The latest is ${comparedText(last)}`;
}

function comparedText({ score, threshold, unit }) {
  if (threshold === null) return scoreText(score, unit);
  return `${scoreBeside(score, threshold, unit)} against ${thresholdText(threshold, unit)}`;
}
