// Six looks: narrow the thresholds that are still possible, by asking about the frame nearest to their middle.
// It asks as tune/suggest/looks.py does, which says why.

const LOOKS = 6, MOST_QUESTIONS = 9;

// The thresholds that contradict the fewest answers, as a span between two of them; if they do not lie
// together, the widest. A wrong answer costs a look, not the result.
function possibleSpan(camera) {
  const scores = judgedLabels(camera).map((label) => label.score);
  const lowest = camera.thresholds[0], highest = camera.thresholds.at(-1);
  const inside = scores.filter((score) => lowest < score && score < highest).sort((one, other) => one - other);
  const edges = [lowest, ...new Set(inside), highest];
  const counts = edges.slice(0, -1).map((threshold) => contradictionsOf(camera, threshold));
  const fewest = Math.min(...counts), spans = [];
  counts.forEach((count, place) => {
    if (count > fewest) return;
    if (spans.at(-1)?.[1] === edges[place]) spans.at(-1)[1] = edges[place + 1];
    else spans.push([edges[place], edges[place + 1]]);
  });
  return spans.reduce((widest, span) => (span[1] / span[0] > widest[1] / widest[0] ? span : widest));
}

function judgedLabels(camera) {
  return [...labelsOf(camera).values()].filter((label) => label.score !== null);
}

function contradictionsOf(camera, threshold) {
  return judgedLabels(camera).filter((label) => label.score > threshold !== label.matters).length;
}

// The position nearest to the middle of what is still possible.
function foundPosition(camera) {
  const [least, below] = possibleSpan(camera);
  const middle = (Math.log(least) + Math.log(below)) / 2;
  const distances = camera.thresholds.map((threshold) => Math.abs(Math.log(threshold) - middle));
  return distances.indexOf(Math.min(...distances));
}

function startLooks() {
  const { camera, position } = state;
  viewer.question = { number: 0, asked: new Set(), before: { position, labels: labelsOf(camera) } };
  state.labels.set(camera.name, new Map());
  nextQuestion();
  if (viewer.question !== null) openDialog();
}

function nextQuestion() {
  const { camera } = state;
  const isEnough = judgedLabels(camera).length >= LOOKS || viewer.question.number >= MOST_QUESTIONS;
  const position = foundPosition(camera);
  const frame = isEnough ? -1 : frameNearest(position);
  if (frame < 0) return endLooks(position);
  viewer.question.number++;
  viewer.question.asked.add(frame);
  state.position = position;
  Object.assign(viewer, { frames: [frame], place: 0 });
  element("question").replaceChildren(
    "Would you want this frame?",
    made("small", {}, `Look ${viewer.question.number} of about 6. Hold the picture to see the last kept frame.`),
  );
  showViewer();
  showNumbers();
  drawCurve();
}

// The frame, not asked about yet, whose score is nearest to a position's threshold; -1 for none.
function frameNearest(position) {
  const { camera } = state;
  let nearest = -1, least = Infinity;
  for (let frame = 0; frame < camera.frames; frame++) {
    const value = scoreOf(camera, position, frame);
    if (!value || !isByScoreAt(camera, position, frame) || scheduleOf(camera, position, frame) !== null || viewer.question.asked.has(frame) || !camera.pictures[2 * frame + 1]) continue;
    const distance = Math.abs(Math.log(value / camera.thresholds[position]));
    if (distance < least) [nearest, least] = [frame, distance];
  }
  return nearest;
}

// Whoever closes the questions unanswered has changed nothing.
function leaveLooks() {
  const { before } = viewer.question;
  viewer.question = null;
  if (judgedLabels(state.camera).length) return;
  state.position = before.position;
  state.labels.set(state.camera.name, before.labels);
}

function endLooks(position) {
  const looks = viewer.question.number;
  viewer.question = null;
  state.position = position;
  const contradictions = contradicted(state.camera, position);
  element("viewer").close();
  showAll();
  const name = thresholdText(threshold(), state.camera.unit);
  const against = contradictions ? ` ${plural(contradictions, "frame")} of your answers come out otherwise there.` : "";
  if (looks) toast(`${name}: found in ${plural(looks, "look")}.${against} Copy TOML has the line.`);
  else toast("There is no frame to ask about");
}
