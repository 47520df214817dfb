// One frame: its picture and the one it was compared with at the same place, why, and what the reader says.

const viewer = { frames: [], place: 0, question: null };

const viewed = () => viewer.frames[viewer.place];

function openViewer(frame, frames) {
  Object.assign(viewer, { frames, place: frames.indexOf(frame), question: null });
  showViewer();
  openDialog();
}

// The keys work wherever the focus is; on the first button its ring would only distract.
function openDialog() {
  if (element("viewer").open) return;
  element("viewer").showModal();
  element("viewer").focus();
}

function showViewer() {
  const frame = viewed(), [width, height] = sizeOf(state.camera, frame);
  const isQuestion = viewer.question !== null;
  write("viewerTitle", state.camera.names[frame]);
  const stage = element("stage");
  stage.style.aspectRatio = `${width} / ${height}`;
  stage.style.width = `min(100%, ${((58 * width) / height).toFixed(1)}dvh)`;
  element("viewerHold").disabled = reference(frame) < 0;
  showPicture(false);
  element("viewerWhy").replaceChildren(...whyText(frame));
  const label = labelsOf(state.camera).get(frame);
  element("matters").setAttribute("aria-pressed", label !== undefined && label.matters);
  element("doesNot").setAttribute("aria-pressed", label !== undefined && !label.matters);
  element("question").hidden = element("cannotSay").hidden = !isQuestion;
  element("viewerBack").hidden = element("viewerOn").hidden = isQuestion;
  element("viewerBack").disabled = viewer.place === 0;
  element("viewerOn").disabled = viewer.place === viewer.frames.length - 1;
}

// The verdict is not shown beside a question: it would answer it.
function whyText(frame) {
  const before = reference(frame), boxes = boxesOf(frame);
  const parts = [];
  if (viewer.question === null) parts.push(made("b", { textContent: verdictSentence(frame) }), " ");
  if (state.camera.are_timed) parts.push(`${momentText(frame)}. `);
  if (before >= 0) {
    const age = state.camera.are_timed ? `, ${ageText(state.camera.times[frame] - state.camera.times[before])} before` : "";
    parts.push(`Compared with ${state.camera.names[before]}${age}. `);
  }
  if (boxes !== null && boxes.length) parts.push(outlineText(frame, boxes));
  return parts;
}

function outlineText(frame, boxes) {
  if (viewer.question !== null) return "Outlined: where it changed.";
  const areCounted = isKept(frame) || state.camera.unit === "%";
  return areCounted ? `${plural(boxes.length, "region")} counted.` : "Outlined: where it changed most.";
}

function verdictSentence(frame) {
  const value = score(frame);
  const { limit, zone, schedule } = comparedWith(state.camera, state.position, frame);
  const unit = state.camera.unit;
  if (value === null || !isByScore(frame)) return `${verdictWord(frame)}: ${reasonSentence(reason(frame))}.`;
  const where = (zone === null ? "" : ` of zone ${zone}`) + (schedule === null ? "" : ` of schedule ${schedule.name}`);
  const shown = scoreBeside(value, limit, unit), against = thresholdText(limit, unit);
  if (isKept(frame)) return `Kept: ${shown} is over ${against}${where}.`;
  if (value === limit) return `Dropped: ${shown} is not over ${against}${where}.`;
  return `Dropped: ${shown} of ${against}${where}, ${Math.max(1, Math.round(100 * (1 - value / limit)))}${THIN_SPACE}% short.`;
}

function showPicture(isReference) {
  const frame = viewed(), before = reference(frame);
  if (isReference && before < 0) return;
  const url = pictureUrl(isReference ? before : frame);
  const picture = element("viewerPicture");
  picture.hidden = url === null;
  element("viewerAbsent").hidden = url !== null;
  if (url === null) picture.removeAttribute("src");
  else picture.src = url;
  picture.alt = isReference ? "The last kept frame" : "This frame";
  write("viewerWhich", isReference ? "last kept" : "this frame");
  element("viewerHold").setAttribute("aria-pressed", isReference);
  showBoxes(element("viewerBoxes"), isReference ? [] : (boxesOf(frame) ?? []));
}

function walkViewer(step) {
  if (viewer.question !== null) return;
  viewer.place = Math.max(0, Math.min(viewer.frames.length - 1, viewer.place + step));
  showViewer();
}

function judge(matters) {
  const frame = viewed();
  labelsOf(state.camera).set(frame, { matters, score: movesWithSlider(frame) ? score(frame) : null });
  if (viewer.question === null) showViewer();
  else nextQuestion();
  drawCurve();
}

const SWIPE_PX = 50, SWIPE_MS = 500;

function watchViewer() {
  let began = null;
  for (const target of [element("viewerHold"), element("stage")]) {
    target.addEventListener("pointerdown", (event) => {
      began = { x: event.clientX, at: event.timeStamp };
      showPicture(true);
      event.preventDefault();
    });
    for (const name of ["pointerup", "pointercancel", "pointerleave"])
      target.addEventListener(name, () => showPicture(false));
  }
  element("stage").addEventListener("pointerup", (event) => {
    if (event.pointerType !== "touch" || began === null) return;
    const across = event.clientX - began.x;
    if (Math.abs(across) > SWIPE_PX && event.timeStamp - began.at < SWIPE_MS) walkViewer(across < 0 ? 1 : -1);
  });
  element("viewerBack").addEventListener("click", () => walkViewer(-1));
  element("viewerOn").addEventListener("click", () => walkViewer(1));
  element("viewerClose").addEventListener("click", () => element("viewer").close());
  element("matters").addEventListener("click", () => judge(true));
  element("doesNot").addEventListener("click", () => judge(false));
  element("cannotSay").addEventListener("click", () => nextQuestion());
  const dialog = element("viewer");
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    if (dialog.open) return; // it was opened again before this event came
    if (viewer.question !== null) leaveLooks();
    showAll();
  });
  dialog.addEventListener("keydown", onViewerKey);
  dialog.addEventListener("keyup", (event) => {
    if (event.key !== " " || isOtherButton(event.target)) return;
    showPicture(false);
    event.preventDefault();
  });
}

// Space holds the reference, but presses a button that has the focus.
const isOtherButton = (target) => target.tagName === "BUTTON" && target.id !== "viewerHold";

const ANSWERS = { y: () => judge(true), n: () => judge(false), s: () => viewer.question !== null && nextQuestion() };

function onViewerKey(event) {
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (key === " ") {
    if (isOtherButton(event.target)) return;
    showPicture(true);
  } else if (key === "arrowleft") walkViewer(-1);
  else if (key === "arrowright") walkViewer(1);
  else if (key in ANSWERS && !event.repeat) ANSWERS[key]();
  else return;
  event.preventDefault();
}
