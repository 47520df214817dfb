// Every frame by its score, and a line to drag.

const FEW_FRAMES = 3000; // more are stamped pixel by pixel: 20,000 take 2 ms, and drawn as shapes 230

function markOf(frame) {
  const scheduled = movesWithSlider(frame) ? undefined : SCHEDULED_MARKS[reason(frame)];
  return MARK_NAMES.indexOf(scheduled ?? MARK_OF[reason(frame)] ?? "rejected");
}

function heightOf(frame, height, scale) {
  const value = score(frame);
  if (value !== null) return yOf(value, height, scale);
  return isKept(frame) || markOf(frame) === MARK_NAMES.indexOf("rejected") ? MARGIN.top : yOf(0, height, scale);
}

// Dropped frames first, so that kept ones lie over them.
function framesInDrawingOrder() {
  const [first, last] = shownRange();
  const dropped = [], kept = [];
  for (let frame = first; frame <= last; frame++) (isKept(frame) ? kept : dropped).push(frame);
  return dropped.concat(kept);
}

// The more frames there are, the smaller their marks.
const radiusFor = (frames, area) => Math.max(1.2, Math.min(4, 0.55 * Math.sqrt(area / frames)));

function drawTimeline() {
  const { pen, width, height, ratio } = drawingOn(element("timeline"));
  const scale = scaleOf(state.camera), x = xScale(width);
  const frames = framesInDrawingOrder();
  const places = frames.map((frame) => [x(frame), heightOf(frame, height, scale), markOf(frame)]);
  const isCrowded = frames.length > FEW_FRAMES;
  const sprites = spritesOf(ratio, radiusFor(frames.length, width * height));
  if (isCrowded) stampMarks(pen, places, sprites, ratio);
  pen.globalCompositeOperation = "destination-over";
  drawScoreAxis(pen, width, height);
  drawTimeAxis(pen, width, height);
  pen.globalCompositeOperation = "source-over";
  if (!isCrowded) drawMarks(pen, places, sprites, ratio);
  drawThreshold(pen, width, height, scale);
  describeTimeline();
}

function drawThreshold(pen, width, height, scale) {
  const y = yOf(threshold(), height, scale), right = width - MARGIN.right;
  pen.strokeStyle = pen.fillStyle = colour("--threshold");
  pen.lineWidth = 2;
  pen.beginPath();
  pen.moveTo(MARGIN.left, y);
  pen.lineTo(right + 6, y);
  pen.stroke();
  pen.beginPath();
  pen.roundRect(right + 4, y - 12, MARGIN.right - 6, 24, 12);
  pen.fill();
  pen.fillStyle = colour("--card");
  pen.textAlign = "center";
  pen.font = "600 12px system-ui, sans-serif";
  pen.fillText(thresholdText(threshold(), state.camera.unit), right + 1 + MARGIN.right / 2, y + 0.5);
}

function describeTimeline() {
  const kept = totalsOf(state.camera, state.position).kept;
  element("timeline").setAttribute(
    "aria-label",
    `Every frame by time and score. Threshold ${thresholdText(threshold(), state.camera.unit)}: ` +
      `${kept} of ${state.camera.frames} frames are above it or kept for another reason.`,
  );
}

function showLegend() {
  const present = new Set(state.camera.verdicts);
  const marks = new Set([...present].map((each) => MARK_OF[state.camera.reasonNames[each]] ?? "rejected"));
  if (state.camera.scheduled.some(Boolean)) for (const name of Object.values(SCHEDULED_MARKS)) marks.add(name);
  const items = MARK_NAMES.filter((name) => marks.has(name) || name === "changed" || name === "unchanged").map(
    (name) => {
      const canvas = made("canvas", { width: 28, height: 28 });
      canvas.setAttribute("aria-hidden", "true");
      const pen = canvas.getContext("2d");
      pen.setTransform(2, 0, 0, 2, 14, 14);
      drawMark(pen, MARKS[name], 4);
      return made("li", {}, canvas, MARKS[name].name);
    },
  );
  element("legend").replaceChildren(...items, made("li", {}, made("span", { className: "rule" }), "threshold, drag it"));
  const kind = state.camera.unit === "%" ? "" : " 1x is as much as usual.";
  const pauses = acrossOf(state.camera).runs.length > 1 ? " Hours without frames are left out." : "";
  write(
    "timelineHint",
    `Each score is against the frame that this threshold kept last, so the dots move with the line.${kind}${pauses}`,
  );
}

// ---- pointing

function frameAt(event) {
  const box = element("timeline").getBoundingClientRect();
  const px = event.clientX - box.left, py = event.clientY - box.top;
  const scale = scaleOf(state.camera), x = xScale(box.width);
  const [first, last] = shownRange();
  let nearest = -1, least = 26 * 26;
  for (let frame = first; frame <= last; frame++) {
    const across = x(frame) - px;
    if (across * across >= least) continue;
    const up = heightOf(frame, box.height, scale) - py;
    const distance = across * across + up * up;
    if (distance < least) [nearest, least] = [frame, distance];
  }
  return nearest;
}

function pointAt(frame) {
  state.cursor = frame;
  const tip = element("tip"), ring = element("ring");
  tip.hidden = ring.hidden = frame < 0;
  if (frame < 0) return;
  const canvas = element("timeline");
  const width = canvas.clientWidth, height = canvas.clientHeight;
  const x = xScale(width)(frame), y = heightOf(frame, height, scaleOf(state.camera));
  Object.assign(ring.style, { left: `${x}px`, top: `${y}px` });
  tip.replaceChildren(
    pictureOf(frame),
    made("b", { textContent: verdictText(frame) }),
    made("span", { textContent: `${momentText(frame)} · ${state.camera.names[frame]}` }),
  );
  const tipWidth = tip.offsetWidth, tipHeight = tip.offsetHeight;
  const left = Math.max(4, Math.min(width - tipWidth - 4, x - tipWidth / 2));
  const isRoomBelow = canvas.getBoundingClientRect().top + y + 16 + tipHeight < innerHeight;
  Object.assign(tip.style, { left: `${left}px`, top: `${isRoomBelow ? y + 16 : y - 16 - tipHeight}px` });
}

function isOnThreshold(event) {
  const box = element("timeline").getBoundingClientRect();
  const y = yOf(threshold(), box.height, scaleOf(state.camera));
  const isOnHandle = event.clientX > box.right - MARGIN.right;
  return Math.abs(event.clientY - box.top - y) < (isOnHandle || event.pointerType === "touch" ? 20 : 6);
}

function watchTimeline() {
  const canvas = element("timeline");
  let isDragging = false, from = null;
  canvas.addEventListener("pointerdown", (event) => {
    isDragging = isOnThreshold(event) && (event.pointerType !== "touch" || frameAt(event) < 0 || isOnHandle(event));
    from = { position: state.position, y: event.clientY };
    if (!isDragging) return;
    canvas.setPointerCapture(event.pointerId);
    pointAt(-1);
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (isDragging) {
      if (Math.abs(event.clientY - from.y) <= 3 && state.position === from.position) return;
      const box = canvas.getBoundingClientRect();
      const wanted = scoreAt(event.clientY - box.top, box.height, scaleOf(state.camera));
      moveTo(nearestPosition(state.camera, wanted));
      return;
    }
    canvas.style.cursor = isOnThreshold(event) ? "ns-resize" : "crosshair";
    const frame = frameAt(event);
    if (frame !== state.cursor) pointAt(frame);
  });
  canvas.addEventListener("pointerup", (event) => {
    const hasMoved = isDragging && (state.position !== from.position || Math.abs(event.clientY - from.y) > 3);
    isDragging = false;
    if (hasMoved || isOnHandle(event)) return;
    const frame = frameAt(event);
    if (frame >= 0) openViewer(frame, allFrames());
  });
  canvas.addEventListener("pointercancel", () => (isDragging = false));
  canvas.addEventListener("pointerleave", () => isDragging || pointAt(-1));
  canvas.addEventListener("touchmove", (event) => isDragging && event.preventDefault(), { passive: false });
  canvas.addEventListener("blur", () => pointAt(-1));
  canvas.addEventListener("keydown", onTimelineKey);
}

function isOnHandle(event) {
  return event.clientX > element("timeline").getBoundingClientRect().right - MARGIN.right;
}

const WALK = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
const MOVE = { ArrowUp: 1, ArrowDown: -1 };

function onTimelineKey(event) {
  const { key } = event;
  if (key in WALK) walkTo(WALK[key]);
  else if (key in MOVE) moveTo(state.position + MOVE[key]);
  else if (key === "Enter" && state.cursor >= 0) openViewer(state.cursor, allFrames());
  else if (key === "Escape") state.day === null ? pointAt(-1) : showDay(null);
  else return;
  event.preventDefault();
}

function walkTo(step) {
  const [first, last] = shownRange();
  const from = state.cursor < 0 ? first - Math.sign(step) : state.cursor;
  pointAt(Math.max(first, Math.min(last, from + step)));
  speak(`${state.camera.names[state.cursor]}, ${momentText(state.cursor)}, ${verdictText(state.cursor)}`);
}

function showDay(day) {
  state.day = day;
  element("allDays").hidden = day === null;
  pointAt(-1);
  drawTimeline();
  if (day === null) return;
  element("h-timeline").scrollIntoView({ block: "center", behavior: wantsNoMotion() ? "auto" : "smooth" });
  speak(`Showing ${dayText(day * DAY_MS)}`);
}

const allFrames = () => Array.from({ length: state.camera.frames }, (_, frame) => frame);
