// The bench: the slider, the curve of kept frames on its scale, and what the threshold would give.

const THUMB_PX = 24;

function showNumbers() {
  const { camera, position } = state;
  const totals = totalsOf(camera, position), rates = ratesOf(camera, position);
  const [least, below] = camera.spans[position];
  write("threshold", thresholdText(threshold(), camera.unit));
  element("kept").replaceChildren(grouped(totals.kept), made("small", {}, ` of ${grouped(camera.frames)}`));
  write("rateName", camera.are_timed ? "a day" : "share");
  write("rate", camera.are_timed ? rateText(rates.frames) : `${Math.round(100 * rates.frames)}${THIN_SPACE}%`);
  write("megabytesName", camera.are_timed ? "MB a day" : "MB");
  write("megabytes", rateText(rates.megabytes));
  write("againstName", REPORT.against === null ? "against now" : "against the old");
  write("against", differenceText(totals));
  write("same", spanText(least, below));
  write("scheduled", scheduledText(camera, position));
  const slider = element("slider");
  slider.value = position;
  slider.setAttribute("aria-valuetext", spokenPosition(totals));
}

function differenceText(totals) {
  if (REPORT.against === null && state.position === state.camera.in_force) return "in force";
  const gained = totals.gained ? `+${grouped(totals.gained)}` : "";
  const lost = totals.lost ? `−${grouped(totals.lost)}` : "";
  return [gained, lost].filter(Boolean).join(" ") || "the same";
}

// Whoever types one of the ends gets just that: they are rounded into the span.
function spanText(least, below) {
  const { unit } = state.camera, inForce = threshold();
  let low = inForce, high = inForce;
  for (let digits = 3; digits <= 12; digits++) {
    const ends = [roundedInto(least, digits, 1), below === null ? Infinity : roundedInto(below, digits, -1)];
    if (ends[0] > inForce || ends[1] < inForce) continue;
    [low, high] = ends;
    break;
  }
  const from = withUnit(String(low), unit);
  return below === null ? `the same from ${from} up` : `the same from ${from} to ${withUnit(String(high), unit)}`;
}

// The nearest number of so many digits that is not below another (1), or is below it (-1).
function roundedInto(value, digits, side) {
  if (value === 0) return 0;
  const near = Number(value.toPrecision(digits));
  if (side > 0 ? near >= value : near < value) return near;
  const step = 10 ** (Math.floor(Math.log10(value)) - digits + 1);
  return Number((near + side * step).toPrecision(digits));
}

function spokenPosition(totals) {
  const unit = state.camera.unit === "%" ? "percent" : "times the usual";
  return `${Number(threshold().toFixed(4))} ${unit} keeps ${totals.kept} of ${state.camera.frames} frames`;
}

// Steps, not a line: between two positions nothing was replayed. A thumb stays half its width off both ends.
function drawCurve() {
  const { camera, position } = state;
  const { pen, width, height } = drawingOn(element("curve"));
  const most = Math.max(1, ...camera.thresholds.map((_, each) => totalsOf(camera, each).kept));
  const stride = camera.positions > 1 ? (width - THUMB_PX) / (camera.positions - 1) : 0;
  const x = (each) => THUMB_PX / 2 + stride * each;
  const y = (each) => height - 2 - ((height - 8) * totalsOf(camera, each).kept) / most;
  const steps = () => {
    for (let each = 0; each < camera.positions; each++) {
      pen.lineTo(Math.max(x(0), x(each) - stride / 2), y(each));
      pen.lineTo(Math.min(x(camera.positions - 1), x(each) + stride / 2), y(each));
    }
  };
  const fill = (from, style) => {
    pen.save();
    pen.beginPath();
    pen.rect(from, 0, width, height);
    pen.clip();
    pen.beginPath();
    pen.moveTo(x(0), height);
    steps();
    pen.lineTo(x(camera.positions - 1), height);
    pen.fillStyle = style;
    pen.fill();
    pen.restore();
  };
  fill(0, colour("--field"));
  fill(x(position), colour("--keep-wash"));
  pen.beginPath();
  steps();
  pen.strokeStyle = colour("--drop");
  pen.lineWidth = 1.5;
  pen.stroke();
  drawInForce(pen, x(camera.in_force), height);
  drawAllowed(pen, x, height);
  pen.fillStyle = colour("--keep");
  pen.beginPath();
  pen.arc(x(position), y(position), 4.5, 0, 7);
  pen.fill();
}

function drawInForce(pen, x, height) {
  pen.strokeStyle = colour("--mute");
  pen.lineWidth = 1;
  pen.setLineDash([2, 3]);
  pen.beginPath();
  pen.moveTo(x, 0);
  pen.lineTo(x, height);
  pen.stroke();
  pen.setLineDash([]);
}

// The positions that agree with the labels best need not be neighbours.
function drawAllowed(pen, x, height) {
  pen.fillStyle = colour("--good");
  for (const [first, last] of allowedRuns(state.camera).runs)
    pen.fillRect(x(first) - 3, height - 3, x(last) - x(first) + 6, 3);
}

const TICKS = { "%": [0.01, 0.1, 1, 10, 100], x: [1, 2, 5, 10, 20, 50, 100] };
const MORE_TICKS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]; // of a short slider

function showTicks() {
  const { camera } = state;
  const last = camera.positions - 1;
  const ticks = (last > 24 ? TICKS[camera.unit] : MORE_TICKS).flatMap((value) => {
    const position = camera.thresholds.indexOf(value);
    if (position < 0) return [];
    const tick = made("span", { textContent: thresholdText(value, camera.unit) });
    tick.style.left = `${last ? (100 * position) / last : 0}%`;
    return [tick];
  });
  element("ticks").replaceChildren(...ticks);
  Object.assign(element("slider"), { min: 0, max: last });
}

function tomlText() {
  return `${state.camera.table}\nscore_threshold = "${state.camera.toml[state.position]}"`;
}

async function copyToml() {
  const text = tomlText();
  try {
    await navigator.clipboard.writeText(text);
    toast(`Copied: ${text.replace("\n", "  ")}`);
  } catch {
    toast(text.replace("\n", "  "));
  }
}
