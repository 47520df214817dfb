// The frames next to the threshold, and the contact sheet of what it would give.

const ON_THE_LINE = 3;

function frameOrders() {
  const weakest = [], strongest = [];
  for (let frame = 0; frame < state.camera.frames; frame++) {
    const value = score(frame);
    if (value === null || !isByScore(frame) || !movesWithSlider(frame)) continue;
    if (isKept(frame)) weakest.push([value, frame]);
    else if (value > 0) strongest.push([value, frame]);
  }
  const first = (pairs, order) => pairs.sort(order).slice(0, ON_THE_LINE).map(([, frame]) => frame);
  return {
    weakest: first(weakest, (a, b) => a[0] - b[0] || a[1] - b[1]),
    strongest: first(strongest, (a, b) => b[0] - a[0] || a[1] - b[1]),
  };
}

function showLine() {
  const { weakest, strongest } = frameOrders();
  const all = [...weakest.toReversed(), ...strongest];
  write("weakestName", weakest.length ? "Just kept, the weakest first" : "Nothing is kept for its score");
  write("strongestName", strongest.length ? "Just dropped, the strongest first" : "Nothing that changed at all is dropped");
  element("weakest").replaceChildren(...weakest.map((frame) => cardOf(frame, all, { withBoxes: true })));
  element("strongest").replaceChildren(...strongest.map((frame) => cardOf(frame, all, { withBoxes: true })));
}

const FILTERS = {
  kept: { name: "Kept", takes: (frame) => isKept(frame), none: "Nothing is kept." },
  gained: {
    name: "Gained",
    takes: (frame) => isKept(frame) && !state.camera.keptNow[frame],
    none: "Nothing would be kept that is not kept now.",
  },
  lost: {
    name: "Lost",
    takes: (frame) => !isKept(frame) && state.camera.keptNow[frame],
    none: "Nothing that is kept now would be dropped.",
  },
  dropped: { name: "Not kept", takes: (frame) => !isKept(frame), none: "Nothing is dropped." },
  labelled: {
    name: "Labelled",
    takes: (frame) => labelsOf(state.camera).has(frame),
    none: "No frame has a label yet. Open one and say whether it matters.",
  },
};

const FIRST_CARDS = 120, FIRST_CARDS_NARROW = 48, MORE_CARDS = 400;

function showSheet() {
  element("sheet").dataset.position = state.position;
  const totals = totalsOf(state.camera, state.position);
  const counts = {
    kept: totals.kept,
    gained: totals.gained,
    lost: totals.lost,
    dropped: state.camera.frames - totals.kept,
    labelled: labelsOf(state.camera).size,
  };
  for (const button of element("filter").children) {
    const name = button.dataset.filter;
    button.textContent = `${FILTERS[name].name} ${grouped(counts[name])}`;
    button.setAttribute("aria-pressed", name === state.filter);
  }
  const frames = allFrames().filter(FILTERS[state.filter].takes);
  if (!frames.length) {
    element("days").replaceChildren(made("p", { className: "none", textContent: FILTERS[state.filter].none }));
    return;
  }
  element("days").replaceChildren();
  addCards(frames, 0, innerWidth < 700 ? FIRST_CARDS_NARROW : FIRST_CARDS);
}

function addCards(frames, from, to) {
  const box = element("days"), batch = document.createDocumentFragment();
  const perDay = keptByDay();
  let grid = from ? box.querySelector(".grid:last-of-type") : null;
  for (const [place, frame] of frames.slice(from, to).entries()) {
    const before = frames[from + place - 1];
    if (!grid || state.camera.dayOf[before] !== state.camera.dayOf[frame]) {
      grid = made("div", { className: "grid" });
      batch.append(dayHeading(frame, perDay), grid);
    }
    grid.append(cardOf(frame, frames));
  }
  box.append(batch);
  if (to >= frames.length) return;
  const more = made("button", { type: "button", className: "more", textContent: `Show ${grouped(frames.length - to)} more` });
  more.addEventListener("click", () => {
    more.remove();
    addCards(frames, to, to + MORE_CARDS);
  });
  box.append(more);
}

function dayHeading(frame, perDay) {
  const { kept, all } = perDay.get(state.camera.dayOf[frame]);
  const name = state.camera.are_timed ? longDayText(localTime(frame)) : "In order";
  return made("h3", { className: "day" }, name, made("small", {}, `${grouped(kept)} of ${grouped(all)} kept`));
}

function keptByDay() {
  const days = new Map();
  for (let frame = 0; frame < state.camera.frames; frame++) {
    const day = state.camera.dayOf[frame];
    if (!days.has(day)) days.set(day, { kept: 0, all: 0 });
    days.get(day).all++;
    days.get(day).kept += isKept(frame) ? 1 : 0;
  }
  return days;
}
