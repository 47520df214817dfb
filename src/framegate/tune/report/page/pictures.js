// Pictures of frames, cut out of one block of bytes when they are seen, and words about them.

let pictureBytes = null;
const pictureUrls = new Map();

async function openPictures() {
  const text = element("pictures").textContent;
  pictureBytes = await (await fetch(`data:application/octet-stream;base64,${text}`)).blob();
  element("pictures").remove(); // 15 MB of text that nobody needs any more
}

// Null where the file has no room for it.
function pictureUrl(frame) {
  const start = state.camera.pictures[2 * frame], length = state.camera.pictures[2 * frame + 1];
  if (!length) return null;
  const key = start;
  if (!pictureUrls.has(key))
    pictureUrls.set(key, URL.createObjectURL(pictureBytes.slice(start, start + length, "image/webp")));
  return pictureUrls.get(key);
}

function pictureOf(frame) {
  const url = pictureUrl(frame);
  const [width, height] = sizeOf(state.camera, frame);
  if (url === null) {
    const absent = made("span", { className: "absent", textContent: "not in the file" });
    absent.style.aspectRatio = `${width} / ${height}`;
    return absent;
  }
  const picture = made("img", { alt: "", loading: "lazy", decoding: "async", width, height });
  picture.src = url;
  return picture;
}

const SVG = "http://www.w3.org/2000/svg";

function showBoxes(svg, boxes) {
  svg.replaceChildren(
    ...boxes.map(([x, y, width, height]) => {
      const box = document.createElementNS(SVG, "rect");
      for (const [name, value] of Object.entries({ x, y, width, height })) box.setAttribute(name, value);
      return box;
    }),
  );
}

// Where it has changed, at this position; null if nobody looked.
const boxesOf = (frame) => state.camera.boxes[`${state.position}:${frame}`] ?? null;

function boxesOver(frame) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 1000 1000");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  showBoxes(svg, boxesOf(frame) ?? []);
  return svg;
}

function momentText(frame) {
  if (!state.camera.are_timed) return `frame ${frame + 1}`;
  return `${dayText(localTime(frame))} ${secondsText(localTime(frame))}`;
}

const isByScoreAt = (camera, position, frame) =>
  ["changed", "unchanged"].includes(reasonOf(camera, position, frame));
const isByScore = (frame) => isByScoreAt(state.camera, state.position, frame);

function limitOf(frame) {
  return comparedWith(state.camera, state.position, frame).limit;
}

function verdictWord(frame) {
  if (isKept(frame)) return "Kept";
  return MARK_OF[reason(frame)] ? "Dropped" : "Rejected";
}

function verdictText(frame) {
  const value = score(frame);
  const number = value === null ? "" : scoreBeside(value, limitOf(frame), state.camera.unit);
  if (isByScore(frame)) return `${verdictWord(frame)} at ${number}`;
  return `${verdictWord(frame)}: ${reasonText(reason(frame))}${number && ` at ${number}`}`;
}

function cardNumber(frame) {
  const value = score(frame);
  if (value === null || !isByScore(frame)) return reasonText(reason(frame));
  return scoreBeside(value, limitOf(frame), state.camera.unit);
}

function cardOf(frame, frames, { withBoxes = false } = {}) {
  const [width, height] = sizeOf(state.camera, frame);
  const photo = made("span", { className: "photo" }, pictureOf(frame));
  photo.style.aspectRatio = `${width} / ${height}`;
  if (withBoxes) photo.append(boxesOver(frame));
  const when = state.camera.are_timed ? clockText(localTime(frame)) : `#${frame + 1}`;
  const caption = made("span", { className: "caption" }, made("span", {}, when), made("b", {}, cardNumber(frame)));
  const card = made("button", { type: "button", className: `frame ${isKept(frame) ? "kept" : ""}` }, photo, caption);
  const label = labelsOf(state.camera).get(frame);
  if (label) card.append(made("span", { className: "label", textContent: label.matters ? "matters" : "does not" }));
  const words = ` ${verdictText(frame)}, ${momentText(frame)}, ${state.camera.names[frame]}`;
  card.append(made("span", { className: "vh", textContent: words }));
  card.title = state.camera.names[frame];
  card.addEventListener("click", () => openViewer(frame, frames));
  return card;
}
