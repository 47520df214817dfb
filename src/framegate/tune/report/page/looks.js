// Six looks: halve the thresholds that are still possible, by asking about the frame nearest to the middle.

const MOST_QUESTIONS = 9;

// A wrong answer costs a look, not the result: the range is what contradicts the fewest answers.
function possibleRange() {
  const { runs } = allowedRuns(state.camera);
  if (!runs.length) return [0, state.camera.positions - 1];
  return runs.reduce((widest, run) => (run[1] - run[0] > widest[1] - widest[0] ? run : widest));
}

function startLooks() {
  state.labels.set(state.camera.name, new Map());
  viewer.question = { number: 0, asked: new Set() };
  nextQuestion();
  if (viewer.question !== null) openDialog();
}

function nextQuestion() {
  const [first, last] = possibleRange();
  if (last - first <= 1 || viewer.question.number >= MOST_QUESTIONS) return endLooks(first, last);
  const middle = Math.round((first + last) / 2);
  const frame = frameNearest(middle);
  if (frame < 0) return endLooks(first, last);
  viewer.question.number++;
  viewer.question.asked.add(frame);
  state.position = middle;
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
    if (!value || !isByScoreAt(camera, position, frame) || viewer.question.asked.has(frame) || !camera.pictures[2 * frame + 1]) continue;
    const distance = Math.abs(Math.log(value / camera.thresholds[position]));
    if (distance < least) [nearest, least] = [frame, distance];
  }
  return nearest;
}

function endLooks(first, last) {
  const looks = viewer.question.number, { contradictions } = allowedRuns(state.camera);
  viewer.question = null;
  state.position = Math.round((first + last) / 2);
  element("viewer").close();
  showAll();
  const name = thresholdText(threshold(), state.camera.unit);
  const against = contradictions ? `, ${plural(contradictions, "answer")} against it` : "";
  if (looks) toast(`${name}: found in ${plural(looks, "look")}${against}. Copy TOML has the line.`);
  else toast("There is no frame to ask about");
}
