// What stands for a frame in the timeline, and how many of them are drawn at once.

// What a frame's mark says: never its colour alone.
const MARKS = {
  changed: { name: "kept", fill: "--keep", draw: disc },
  unscored: { name: "kept, not compared", fill: "--keep", draw: square },
  byTime: { name: "kept by time: heartbeat, storm", fill: "--keep", draw: diamond },
  whole: { name: "kept: light, moved", fill: "--keep", draw: triangle },
  unchanged: { name: "dropped", stroke: "--drop", draw: disc },
  scheduledKept: { name: "kept by a schedule’s own threshold", fill: "--keep", draw: bar },
  scheduledDropped: { name: "dropped by it", stroke: "--drop", draw: bar },
  storm: { name: "dropped in a storm", stroke: "--drop", draw: diamond },
  rejected: { name: "rejected", stroke: "--drop", draw: cross },
};

const MARK_OF = {
  first: "unscored", size_changed: "unscored", heartbeat: "byTime", storm: "byTime", lighting: "whole",
  moved: "whole", changed: "changed", unchanged: "unchanged", identical: "unchanged", storm_dropped: "storm",
};

const MARK_NAMES = Object.keys(MARKS);

function disc(pen, radius) {
  pen.arc(0, 0, radius, 0, 7);
}

function square(pen, radius) {
  pen.rect(-radius, -radius, 2 * radius, 2 * radius);
}

function bar(pen, radius) {
  pen.rect(-1.3 * radius, -0.55 * radius, 2.6 * radius, 1.1 * radius);
}

function diamond(pen, radius) {
  const far = radius * 1.35;
  pen.moveTo(0, -far);
  pen.lineTo(far, 0);
  pen.lineTo(0, far);
  pen.lineTo(-far, 0);
  pen.closePath();
}

function triangle(pen, radius) {
  const far = radius * 1.3;
  pen.moveTo(0, -far);
  pen.lineTo(far, radius);
  pen.lineTo(-far, radius);
  pen.closePath();
}

function cross(pen, radius) {
  const far = radius * 0.85;
  pen.moveTo(-far, -far);
  pen.lineTo(far, far);
  pen.moveTo(far, -far);
  pen.lineTo(-far, far);
}

function drawMark(pen, mark, radius) {
  pen.beginPath();
  mark.draw(pen, radius);
  if (mark.fill) {
    pen.fillStyle = colour(mark.fill);
    pen.fill();
  } else {
    pen.strokeStyle = colour(mark.stroke);
    pen.lineWidth = 1.5;
    pen.stroke();
  }
}

// Each mark drawn once, on a small canvas of its own.
function spritesOf(ratio, radius) {
  const side = Math.ceil((radius * 1.4 + 1) * ratio) * 2;
  return MARK_NAMES.map((name) => {
    const canvas = made("canvas", { width: side, height: side });
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.setTransform(ratio, 0, 0, ratio, side / 2, side / 2);
    drawMark(pen, MARKS[name], radius);
    return canvas;
  });
}

function drawMarks(pen, places, sprites, ratio) {
  for (const [x, y, mark] of places) {
    const side = sprites[mark].width / ratio;
    pen.drawImage(sprites[mark], x - side / 2, y - side / 2, side, side);
  }
}

function stampMarks(pen, places, sprites, ratio) {
  const { width, height } = pen.canvas;
  const image = pen.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const stamps = sprites.map((sprite) => stampOf(sprite, width));
  const margin = sprites[0].width;
  for (const [x, y, mark] of places) {
    const column = Math.round(x * ratio), row = Math.round(y * ratio);
    if (column < margin || row < margin || column >= width - margin || row >= height - margin) continue;
    const { offsets, colours } = stamps[mark];
    const at = row * width + column;
    for (let place = 0; place < offsets.length; place++) pixels[at + offsets[place]] = colours[place];
  }
  pen.putImageData(image, 0, 0);
}

// The pixels of a mark that are not nearly clear: how far from its centre, and of which colour.
function stampOf(sprite, width) {
  const side = sprite.width;
  const pixels = new Uint32Array(sprite.getContext("2d").getImageData(0, 0, side, side).data.buffer);
  const offsets = [], colours = [];
  pixels.forEach((pixel, place) => {
    if (pixel >>> 24 < 110) return;
    offsets.push((Math.floor(place / side) - side / 2) * width + (place % side) - side / 2);
    colours.push((pixel | 0xff000000) >>> 0);
  });
  return { offsets, colours };
}
