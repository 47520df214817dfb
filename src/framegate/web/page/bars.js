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

function barsOf(scores) {
  const width = BARS_WIDTH / BARS, gap = 2.4;
  return scores.flatMap((compared, place) => {
    const height = barHeight(compared), x = (place + BARS - scores.length) * width + gap / 2;
    const kind = isOver(compared) ? "over" : "under";
    const bar = drawn("rect", { class: kind, x, y: BARS_HEIGHT - height, width: width - gap, height });
    if (!isClipped(compared)) return [bar];
    return [bar, drawn("path", { class: "clipped", d: `M${x - 1} 8L${x + width - gap + 1} 4` })];
  });
}

const emptyBars = () =>
  drawn("svg", { class: "bars", viewBox: `0 0 ${BARS_WIDTH} ${BARS_HEIGHT}`, preserveAspectRatio: "none", role: "img" });

function showBars(svg, scores) {
  const line = drawn("line", { class: "rule", x1: 0, x2: BARS_WIDTH, y1: LINE, y2: LINE });
  svg.replaceChildren(...barsOf(scores), line);
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
