// Frames judged by a schedule's own threshold: the slider leaves it as it is.

// The schedule; null if the frame was held against the threshold that the slider has.
function scheduleOf(camera, position, frame) {
  const place = camera.scheduled[position * camera.frames + frame];
  return place === 0 ? null : camera.schedules[place - 1];
}

const SCHEDULED_MARKS = { changed: "scheduledKept", unchanged: "scheduledDropped" };

function scheduledText(camera, position) {
  let count = 0;
  for (let frame = 0; frame < camera.frames; frame++) if (scheduleOf(camera, position, frame) !== null) count++;
  if (!count) return "";
  const named = ({ name, threshold }) => (threshold === null ? name : `${name} ${thresholdText(threshold, camera.unit)}`);
  const are = `${plural(count, "frame")} ${count === 1 ? "is" : "are"}`;
  return `${are} judged by a schedule’s own threshold (${camera.schedules.map(named).join(", ")}), wherever the slider stands.`;
}
