// How numbers, ages and reasons read, on every page of framegate.

const THIN_SPACE = "\u2009";
const DAY_MS = 864e5, HOUR_MS = 36e5, MINUTE_MS = 6e4;

const unitOf = (unit) => (unit === "%" ? THIN_SPACE + "%" : "x");
const withUnit = (text, unit) => text + unitOf(unit);
const plural = (count, word) => `${grouped(count)} ${word}${count === 1 ? "" : "s"}`;
const grouped = (count) => count.toLocaleString("en").replaceAll(",", THIN_SPACE);

function thresholdText(value, unit) {
  return withUnit(String(Number(value.toFixed(4))), unit);
}

function scoreText(value, unit) {
  if (value === 0) return "0";
  const digits = value >= 10 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toPrecision(2);
  return withUnit(String(Number(digits)), unit);
}

// With as many digits as it takes to stand on its own side of the threshold.
function scoreBeside(value, threshold, unit) {
  if (value === 0) return "0";
  if (value === threshold) return thresholdText(value, unit);
  const plain = Number(value >= 10 ? value.toFixed(0) : value.toPrecision(2));
  const candidates = [plain];
  for (let digits = 2; digits <= 12; digits++) candidates.push(Number(value.toPrecision(digits)));
  const isOnItsSide = (shown) => shown !== threshold && shown > threshold === value > threshold;
  return withUnit(String(candidates.find(isOnItsSide) ?? value), unit);
}

function ageText(ms) {
  if (ms < MINUTE_MS) return `${Math.round(ms / 1000)} s`;
  if (ms < 2 * HOUR_MS) return `${Math.round(ms / MINUTE_MS)} min`;
  if (ms < 2 * DAY_MS) return `${Math.round(ms / HOUR_MS)} h`;
  return `${Math.round(ms / DAY_MS)} days`;
}

const REASONS = {
  first: ["first frame", "the first frame of this camera"],
  size_changed: ["size changed", "the picture has another size"],
  heartbeat: ["heartbeat", "the last kept one is older than keep_every"],
  storm: ["storm", "one a minute is kept while more than max_kept_per_hour differ"],
  storm_dropped: ["storm", "it differs, but in a storm only one a minute is kept"],
  lighting: ["light", "the light changed in most of the picture at once"],
  moved: ["moved", "most of the picture changed at once: the camera was moved"],
  identical: ["identical", "the same bytes as a frame before it"],
};

const reasonText = (reason) => REASONS[reason]?.[0] ?? reason.replaceAll("_", " ");
const reasonSentence = (reason) => REASONS[reason]?.[1] ?? reason.replaceAll("_", " ");
