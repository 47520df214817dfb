// One camera's frames and outcomes, unpacked. A frame is a place in its order, a threshold a position.

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

const unpackedText = async (text) => new TextDecoder().decode(await unpacked(text));

// Frame by frame there are the differences between its positions; here all frames of a position stand together.
async function unpackedTable(text, frames, positions, Table) {
  const steps = new Int32Array(await unpacked(text));
  const table = new Table(frames * positions);
  for (let frame = 0; frame < frames; frame++) {
    let value = 0;
    for (let position = 0; position < positions; position++) {
      value += steps[frame * positions + position];
      table[position * frames + frame] = value;
    }
  }
  return table;
}

async function openedCamera(packed, reasons) {
  const frames = packed.frames, positions = packed.thresholds.length;
  const table = (text, Table) => unpackedTable(text, frames, positions, Table);
  const camera = { ...packed, positions, reasonNames: reasons.map((reason) => reason.name), ofPosition: [] };
  camera.names = (await unpackedText(packed.names)).split("\0");
  camera.times = new Float64Array(await unpacked(packed.times));
  camera.offsets = new Int16Array(await unpacked(packed.utc_offsets));
  camera.sizes = new Float64Array(await unpacked(packed.sizes));
  camera.scoreValues = new Float64Array(await unpacked(packed.score_values));
  camera.scores = await table(packed.scores, Int32Array);
  camera.verdicts = await table(packed.verdicts, Uint8Array);
  camera.since = await table(packed.references, Uint16Array);
  camera.scheduled = await table(packed.scheduled, Uint8Array);
  camera.decidedBy = await table(packed.decided_by, Uint8Array);
  camera.boxes = JSON.parse(await unpackedText(packed.boxes));
  camera.pictures = new Uint32Array(await unpacked(packed.pictures));
  camera.pictureSizeOf = new Uint16Array(await unpacked(packed.picture_size_of));
  camera.keptNow = unpackedBits(new Uint8Array(await unpacked(packed.kept_now)), frames);
  camera.kept = keptTable(camera, reasons);
  camera.local = camera.times.map((time, frame) => time + camera.offsets[frame] * MINUTE_MS);
  camera.dayOf = Int32Array.from(camera.local, (time) => Math.floor(time / DAY_MS));
  return camera;
}

function unpackedBits(bytes, count) {
  return Uint8Array.from({ length: count }, (_, place) => (bytes[place >> 3] >> (place & 7)) & 1);
}

function keptTable(camera, reasons) {
  const isKept = Uint8Array.from(reasons, (reason) => (reason.verdict === "kept" ? 1 : 0));
  return camera.verdicts.map((reason) => isKept[reason]);
}

// What a position keeps, counted when it is first asked for.
function totalsOf(camera, position) {
  return (camera.ofPosition[position] ??= countedTotals(camera, position));
}

function countedTotals(camera, position) {
  const totals = { kept: 0, bytes: 0, gained: 0, lost: 0, keptFrames: [] };
  const start = position * camera.frames;
  for (let frame = 0; frame < camera.frames; frame++) {
    const isKept = camera.kept[start + frame], wasKept = camera.keptNow[frame];
    if (isKept) {
      totals.kept++;
      totals.bytes += camera.sizes[frame];
      totals.keptFrames.push(frame);
    }
    totals.gained += isKept & ~wasKept;
    totals.lost += wasKept & ~isKept;
  }
  return totals;
}

// Frames and megabytes a day; in all where the times tell no day.
function ratesOf(camera, position) {
  const totals = totalsOf(camera, position);
  if (!camera.are_timed) return { frames: totals.kept / camera.frames, megabytes: totals.bytes / 1e6 };
  return { frames: totals.kept / camera.days, megabytes: totals.bytes / 1e6 / camera.days };
}

function scoreOf(camera, position, frame) {
  const place = camera.scores[position * camera.frames + frame];
  return place === 0 ? null : camera.scoreValues[place - 1];
}

const isKeptAt = (camera, position, frame) => camera.kept[position * camera.frames + frame] === 1;
const reasonOf = (camera, position, frame) =>
  camera.reasonNames[camera.verdicts[position * camera.frames + frame]];

// The frame that it was compared with; -1 for none.
function referenceOf(camera, position, frame) {
  const since = camera.since[position * camera.frames + frame];
  if (since === 0) return -1;
  const kept = totalsOf(camera, position).keptFrames;
  return kept[placeOf(kept, frame) - since];
}

// How many of ascending numbers are less than one.
function placeOf(ascending, number) {
  let low = 0, high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

// What the score was compared with, which zone decided, and which schedule's threshold that is.
function comparedWith(camera, position, frame) {
  const zone = camera.decidedBy[position * camera.frames + frame];
  const schedule = scheduleOf(camera, position, frame);
  const general = schedule?.threshold ?? camera.thresholds[position];
  if (zone === 0) return { limit: general, zone: null, schedule };
  return { limit: camera.zone_thresholds[zone - 1] ?? general, zone: camera.zones[zone - 1], schedule };
}

function sizeOf(camera, frame) {
  return camera.picture_sizes[camera.pictureSizeOf[frame]] ?? camera.picture_sizes[0] ?? [16, 9];
}

// The position nearest to a threshold.
function nearestPosition(camera, threshold) {
  const distance = (position) => Math.abs(Math.log(camera.thresholds[position] / threshold));
  let nearest = 0;
  for (let position = 1; position < camera.positions; position++)
    if (distance(position) < distance(nearest)) nearest = position;
  return nearest;
}
