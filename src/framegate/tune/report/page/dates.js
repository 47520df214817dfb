// How rates, times and dates read.

function rateText(value) {
  if (value >= 10) return grouped(Math.round(value));
  return String(Number(value.toFixed(value >= 1 ? 1 : 2)));
}

const formats = new Map();

// Local times come as if they were UTC: they are the machine's that wrote the page, wherever it is read.
function dateText(localMs, options) {
  const key = JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options }));
  return formats.get(key).format(localMs);
}

const clockText = (ms) => dateText(ms, { hour: "2-digit", minute: "2-digit" });
const secondsText = (ms) => dateText(ms, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayText = (ms) => dateText(ms, { weekday: "short", day: "numeric", month: "short" });
const shortDayText = (ms) => dateText(ms, { day: "numeric", month: "short" });
const longDayText = (ms) => dateText(ms, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const yearText = (ms) => dateText(ms, { day: "numeric", month: "short", year: "numeric" });
