// One kept picture, large; those kept before and after it.

const VIEWER_WIDTH = 960, MOST_VIEWED = 64, SWIPE_PX = 50, SWIPE_MS = 500;

const viewer = { card: null, frames: [], place: 0, picture: null, opener: null };

function openViewer(card, place) {
  Object.assign(viewer, { card, frames: [...card.camera.kept], place, opener: document.activeElement });
  viewer.picture ??= emptyStage();
  showViewer();
  element("viewer").showModal();
  element("viewer").focus();
}

function emptyStage() {
  const picture = made("span", { className: "picture" });
  element("stage").append(picture);
  return picture;
}

function showViewer() {
  const frame = viewer.frames[viewer.place];
  write("viewerTitle", cameraText(viewer.card.camera.name));
  showPicture(viewer.picture, pictureUrl(frame.picture, VIEWER_WIDTH), { isNew: true });
  showAge(element("viewerWhy"), () => `Kept ${agoText(frame.decided_at_s)} ago, ${momentText(frame.decided_at_s)}: ${whyText(frame)}.`);
  write("viewerName", frame.result ?? "");
  write("viewerPlace", `${viewer.place + 1} of ${viewer.frames.length}`);
  element("viewerOlder").disabled = viewer.place === viewer.frames.length - 1;
  element("viewerNewer").disabled = viewer.place === 0;
}

const moment = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const momentText = (atS) => moment.format(1000 * atS);

function whyText(frame) {
  if (!isByScore(frame)) return reasonSentence(frame.reason);
  if (frame.threshold === null) return scoreText(frame.score, frame.unit);
  return `${scoreOfFrame(frame)} is over ${thresholdText(frame.threshold, frame.unit)}`;
}

function walkViewer(step) {
  const place = viewer.place + step;
  if (viewer.frames[place] === undefined) return;
  viewer.place = place;
  showViewer();
}

// What is kept while one looks on joins as newer; what is looked at stays.
function growViewer() {
  if (!element("viewer").open) return;
  const known = new Set(viewer.frames.map(keyOf));
  const newer = viewer.card.camera.kept.filter((kept) => !known.has(keyOf(kept)));
  if (!newer.length) return;
  viewer.frames = [...newer, ...viewer.frames].slice(0, MOST_VIEWED);
  viewer.place = Math.min(viewer.frames.length - 1, viewer.place + newer.length);
  showViewer();
}

const VIEWER_KEYS = { ArrowLeft: 1, ArrowRight: -1 };

function watchViewer() {
  const dialog = element("viewer"), stage = element("stage");
  element("viewerOlder").addEventListener("click", () => walkViewer(1));
  element("viewerNewer").addEventListener("click", () => walkViewer(-1));
  element("viewerClose").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("keydown", (event) => {
    if (!(event.key in VIEWER_KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    walkViewer(VIEWER_KEYS[event.key]);
  });
  dialog.addEventListener("close", restoreFocus);
  let began = null;
  stage.addEventListener("pointerdown", (event) => (began = { x: event.clientX, at: event.timeStamp }));
  stage.addEventListener("pointerup", (event) => {
    if (event.pointerType !== "touch" || began === null || event.timeStamp - began.at > SWIPE_MS) return;
    const across = event.clientX - began.x;
    if (Math.abs(across) > SWIPE_PX) walkViewer(across < 0 ? 1 : -1);
  });
}

// To where it was opened; by now that picture may have left the strip.
function restoreFocus() {
  const { opener, card } = viewer;
  (opener.isConnected ? opener : card.latest).focus();
}
