// Where a frame stands in the timeline: time across, the score up, on a logarithmic scale.

const MARGIN = { left: 50, right: 66, top: 14, bottom: 36, lane: 18, unscored: 12 };

// The scale goes from a round number to a round number; what is less stands in a lane of its own.
function scaleOf(camera) {
  if (camera.scale) return camera.scale;
  const most = Math.max(camera.scoreValues.at(-1) ?? 0, camera.thresholds.at(-1));
  const least = camera.thresholds[0];
  const low = camera.unit === "%" ? Math.min(0.1, 10 ** Math.floor(Math.log10(least) + 1e-9)) : 1;
  const high = camera.unit === "%" ? 100 : Math.max(10, LINES.x.find((value) => value >= most) ?? 1000);
  const lines = LINES[camera.unit].filter((value) => value >= low && value <= high);
  const isLow = camera.scoreValues.some((value) => value > 0 && value < low);
  return (camera.scale = { low, high, lines, lane: isLow ? `<${thresholdText(low, camera.unit)}` : "0" });
}

const LINES = { "%": [0.0001, 0.001, 0.01, 0.1, 1, 10, 100], x: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] };

function yOf(value, height, scale) {
  if (value < scale.low) return height - MARGIN.bottom - 2;
  const top = MARGIN.top + MARGIN.unscored, bottom = height - MARGIN.bottom - MARGIN.lane;
  const share = Math.log(value / scale.low) / Math.log(scale.high / scale.low);
  return bottom - (bottom - top) * Math.min(1, share);
}

function scoreAt(y, height, scale) {
  const top = MARGIN.top + MARGIN.unscored, bottom = height - MARGIN.bottom - MARGIN.lane;
  return scale.low * (scale.high / scale.low) ** ((bottom - y) / (bottom - top));
}

// Pauses over six hours, and over twenty usual steps, are cut out. Runs are the stretches between them.
function acrossOf(camera) {
  if (camera.across) return camera.across;
  const { frames } = camera;
  const time = camera.are_timed ? camera.times : Float64Array.from({ length: frames }, (_, frame) => frame);
  const steps = Array.from({ length: frames - 1 }, (_, frame) => time[frame + 1] - time[frame]);
  const usual = steps.toSorted((a, b) => a - b)[steps.length >> 1] || 1;
  const pause = camera.are_timed ? Math.max(6 * HOUR_MS, 20 * usual) : Infinity;
  const at = new Float64Array(frames), runs = [0];
  for (let frame = 1; frame < frames; frame++) {
    const step = steps[frame - 1];
    if (step > pause) runs.push(frame);
    at[frame] = at[frame - 1] + (step > pause ? 2 * usual : Math.max(0, step));
  }
  return (camera.across = { at, runs });
}

// The first and last frame that the timeline shows.
function shownRange() {
  const { camera, day } = state;
  if (day === null) return [0, camera.frames - 1];
  return [camera.dayOf.indexOf(day), camera.dayOf.lastIndexOf(day)];
}

function xScale(width) {
  const { at } = acrossOf(state.camera);
  const [first, last] = shownRange();
  const span = at[last] - at[first] || 1;
  const room = width - MARGIN.left - MARGIN.right - 16;
  return (frame) => MARGIN.left + 8 + (room * (at[frame] - at[first])) / span;
}

function shownRuns() {
  const { runs } = acrossOf(state.camera);
  const [first, last] = shownRange();
  return runs
    .map((start, place) => [Math.max(start, first), Math.min((runs[place + 1] ?? Infinity) - 1, last)])
    .filter(([start, end]) => start <= end);
}

function drawScoreAxis(pen, width, height) {
  const scale = scaleOf(state.camera);
  pen.font = "11.5px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  pen.lineWidth = 1;
  pen.strokeStyle = colour("--line");
  pen.fillStyle = colour("--mute");
  for (const value of scale.lines) {
    const y = Math.round(yOf(value, height, scale)) + 0.5;
    pen.beginPath();
    pen.moveTo(MARGIN.left, y);
    pen.lineTo(width - MARGIN.right, y);
    pen.stroke();
    pen.fillText(thresholdText(value, state.camera.unit), MARGIN.left - 7, y);
  }
  pen.fillText(scale.lane, MARGIN.left - 7, yOf(0, height, scale));
}

const HOUR_STEPS = [1, 2, 3, 6, 12, 24, 48, 72, 120, 168, 336, 720, 1440, 4320, 8760];

function drawTimeAxis(pen, width, height) {
  const { camera } = state;
  const x = xScale(width), runs = shownRuns();
  const isNarrow = width < 600;
  let free = -Infinity; // from here on there is room for another day's name
  for (const [place, [start, end]] of runs.entries()) {
    const left = x(start);
    if (place) drawPause(pen, left - 5, height);
    const isLong = camera.are_timed && runs.length === 1 && camera.times[end] - camera.times[start] > 3 * DAY_MS;
    if (left > free && !isLong) {
      const name = !camera.are_timed ? "frame 1" : isNarrow ? shortDayText(localTime(start)) : dayText(localTime(start));
      pen.fillStyle = colour("--ink");
      pen.textAlign = "left";
      pen.fillText(name, left - 3, height - MARGIN.bottom + 27);
      free = left + pen.measureText(name).width + 14;
    }
    if (camera.are_timed) drawHours(pen, x, start, end, height);
  }
}

function drawPause(pen, x, height) {
  pen.strokeStyle = colour("--line");
  pen.setLineDash([3, 3]);
  pen.beginPath();
  pen.moveTo(x, MARGIN.top);
  pen.lineTo(x, height - MARGIN.bottom + 4);
  pen.stroke();
  pen.setLineDash([]);
}

function drawHours(pen, x, start, end, height) {
  const { camera } = state;
  const span = camera.times[end] - camera.times[start];
  const pxAnHour = span ? (x(end) - x(start)) / (span / HOUR_MS) : 0;
  const hours = HOUR_STEPS.find((each) => each * pxAnHour > (each < 24 ? 48 : 58));
  if (!hours || !pxAnHour) return;
  const first = Math.ceil(localTime(start) / HOUR_MS / hours) * hours * HOUR_MS;
  pen.textAlign = "center";
  for (let time = first; time <= localTime(start) + span; time += hours * HOUR_MS) {
    const at = x(start) + ((time - localTime(start)) / HOUR_MS) * pxAnHour;
    pen.fillStyle = colour("--mute");
    pen.fillText(hours < 24 ? clockText(time) : shortDayText(time), at, height - MARGIN.bottom + 11);
    pen.fillStyle = colour("--line");
    pen.fillRect(at, height - MARGIN.bottom, 1, 4);
  }
}
