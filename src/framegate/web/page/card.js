// One camera: its last kept picture, its last frame, its scores, what was kept before, its counts.

const LATEST_WIDTH = 960, STRIP_WIDTH = 320;

let cardsMade = 0;

function emptyCard() {
  const id = `camera-${++cardsMade}`;
  const card = {
    shown: "",
    isScrolled: false, // the strip
    camera: null,
    picture: made("span", { className: "picture" }),
    kept: made("span", { className: "chip" }),
    score: made("span", { className: "chip score" }),
    name: made("bdi"),
    last: made("span"),
    verdict: made("p", { className: "verdict" }),
    problems: made("ul", { className: "problems" }),
    bars: emptyBars(),
    scored: made("span"),
    threshold: made("b"),
    schedule: made("bdi"),
    strip: made("ul", { className: "strip" }),
    counts: made("ul", { className: "counts" }),
  };
  card.scheduled = made("span", {}, " of schedule ", card.schedule);
  card.rule = made("span", {}, "threshold ", card.threshold, card.scheduled);
  card.latest = made("button", { type: "button", className: "latest" }, card.picture, card.kept, card.score);
  const name = made("h3", { id: `${id}-name` }, card.name);
  const body = made(
    "div",
    { className: "body" },
    made("div", { className: "head" }, name, made("p", { className: "age" }, card.last)),
    card.verdict,
    card.problems,
    card.bars,
    made("p", { className: "scale" }, card.scored, card.rule),
    card.strip,
    card.counts,
  );
  card.root = made("article", { id, className: "camera", tabIndex: -1 }, card.latest, body);
  card.root.setAttribute("aria-labelledby", name.id);
  card.strip.setAttribute("aria-label", "Kept before, newest first");
  card.latest.addEventListener("click", () => openViewer(card, 0));
  // Remembered, as asking for it while 200 cards change makes the browser lay out the page 200 times: 17 ms each.
  card.strip.addEventListener("scroll", () => (card.isScrolled = card.strip.scrollLeft > 0), { passive: true });
  return card;
}

// Only what has changed is touched: focus, scroll and selection stay where they are.
function showCard(card, camera) {
  const shown = JSON.stringify(camera);
  if (card.shown === shown) return;
  Object.assign(card, { shown, camera });
  writeIn(card.name, cameraText(camera.name));
  card.root.classList.toggle("bad", camera.problems.length > 0);
  showLatest(card, camera.kept[0]);
  showLast(card, camera.last_frame);
  showProblemsOf(card, camera.problems);
  showScores(card, camera);
  showStrip(card, camera.kept.slice(1));
  showCounts(card, camera);
}

const cameraText = (name) => (name === "*" ? "all other cameras" : name);

function writeIn(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Names of settings and paths may break after their dots and strokes, and not elsewhere.
function writeWords(node, text) {
  if (node.textContent === text) return;
  const parts = text.match(/[^._/]+[._/]*|[._/]+/g) ?? [];
  node.replaceChildren(...parts.flatMap((part) => [part, made("wbr")]));
}

function showProblemsOf(card, problems) {
  const list = card.problems;
  list.hidden = !problems.length;
  while (list.children.length > problems.length) list.lastElementChild.remove();
  while (list.children.length < problems.length) list.append(made("li"));
  for (const [place, words] of problems.entries()) writeWords(list.children[place], words);
}

function showLatest(card, kept) {
  card.latest.disabled = kept === undefined;
  card.score.hidden = kept === undefined || kept.score === null;
  showPicture(card.picture, kept === undefined ? null : pictureUrl(kept.picture, LATEST_WIDTH));
  showAge(card.kept, () => (kept === undefined ? "nothing kept yet" : `kept ${agoText(kept.decided_at_s)} ago`));
  if (kept !== undefined && kept.score !== null) writeIn(card.score, scoreOfFrame(kept));
}

function showLast(card, last) {
  showAge(card.last, () => (last === null ? "no frame yet" : `last frame ${agoText(last.decided_at_s)} ago`));
  card.verdict.hidden = last === null;
  if (last !== null) writeIn(card.verdict, verdictText(last));
}

const scoreOfFrame = ({ score, threshold, unit }) =>
  threshold === null ? scoreText(score, unit) : scoreBeside(score, threshold, unit);

const isByScore = (frame) => ["changed", "unchanged"].includes(frame.reason) && frame.score !== null;

function verdictText(frame) {
  return isByScore(frame) ? `${frame.verdict} at ${scoreOfFrame(frame)}` : `${frame.verdict}: ${reasonText(frame.reason)}`;
}

const scoredText = (count) => ["no score so far", "last score"][count] ?? `last ${count} scores`;

function showScores(card, camera) {
  const scores = camera.scores.map((score, place) => ({ score, threshold: camera.thresholds[place], unit: camera.units[place] }));
  showBars(card.bars, scores);
  writeIn(card.scored, scoredText(scores.length));
  const { threshold, unit } = camera.threshold === null ? (scores.at(-1) ?? camera) : camera;
  card.rule.hidden = threshold === null;
  if (threshold !== null) writeIn(card.threshold, thresholdText(threshold, unit));
  card.scheduled.hidden = camera.schedule === null || camera.threshold === null;
  writeIn(card.schedule, camera.schedule ?? "");
}

function showStrip(card, before) {
  const { strip } = card;
  const present = new Map([...strip.children].map((item) => [item.dataset.key, item]));
  const items = before.map((kept) => present.get(keyOf(kept)) ?? stripItem(card, kept));
  strip.hidden = !items.length;
  if (items.length === strip.children.length && items.every((item, place) => item === strip.children[place])) return;
  const focused = [...strip.children].findIndex((item) => item.contains(document.activeElement));
  const added = card.isScrolled ? items.indexOf(strip.firstElementChild) : 0;
  for (const item of [...strip.children]) if (!items.includes(item)) item.remove();
  for (const [place, item] of items.entries())
    if (strip.children[place] !== item) strip.insertBefore(item, strip.children[place] ?? null);
  if (added > 0) strip.scrollLeft += added * STRIP_STEP_PX;
  if (focused >= 0 && !strip.contains(document.activeElement)) strip.lastElementChild?.firstElementChild.focus();
}

const STRIP_STEP_PX = 89; // from one picture to the next
const keyOf = (kept) => `${kept.decided_at_s} ${kept.picture}`;

function stripItem(card, kept) {
  const picture = made("span", { className: "picture" }), age = made("span");
  const button = made("button", { type: "button" }, made("span", { className: "vh", textContent: "kept " }), picture, age);
  button.addEventListener("click", () => openViewer(card, card.camera.kept.map(keyOf).indexOf(keyOf(kept))));
  showAge(age, () => `${agoText(kept.decided_at_s)} ago`);
  showPicture(picture, pictureUrl(kept.picture, STRIP_WIDTH));
  const item = made("li", {}, button);
  item.dataset.key = keyOf(kept);
  return item;
}

function showCounts(card, camera) {
  const counts = [[camera.totals.kept, `kept of ${grouped(camera.totals.seen)}`]];
  if (camera.totals.pending) counts.push([camera.totals.pending, "waiting"]);
  for (const [reason, count] of Object.entries(camera.rejections)) counts.push([count, reasonText(reason)]);
  const shown = JSON.stringify(counts);
  if (card.counted === shown) return;
  card.counted = shown;
  card.counts.replaceChildren(
    ...counts.map(([count, words]) => made("li", {}, made("b", { textContent: grouped(count) }), ` ${words}`)),
  );
}
