// Pictures: asked for when they are about to be seen, a few at a time, with the token if there is one.

const AT_ONCE = 3, PICTURE_MS = 30_000, MOST_GONE = 1000;

const addressOf = new WeakMap(); // of the picture that each place is to show
const wanted = new Set(); // places that are seen, and still without their picture
const failed = new Set(); // places whose picture did not come: asked for again when the server answers
const gone = new Set(); // addresses of pictures that are there no more
let asking = 0;

const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) wanted.add(target);
      else wanted.delete(target);
    }
    askForMore();
  },
  { rootMargin: "400px" },
);

const pictureUrl = (key, width) => (key === null ? null : `picture/${key}/${width}`);

// The picture before it stays until this one has come, and fades if that takes long; with isNew it leaves at once.
function showPicture(place, address, { isNew = false } = {}) {
  if (addressOf.get(place) === address) return;
  addressOf.set(place, address);
  failed.delete(place);
  if (isNew || address === null) place.replaceChildren();
  if (address === null) return;
  place.classList.add("waiting");
  observe(place);
}

function observe(place) {
  seen.unobserve(place); // one that is observed already would not be reported again
  seen.observe(place);
}

function askForMore() {
  for (const place of wanted) {
    if (asking >= AT_ONCE) return;
    wanted.delete(place);
    seen.unobserve(place);
    if (!place.isConnected) continue;
    asking++;
    load(place, addressOf.get(place)).finally(() => {
      asking--;
      askForMore();
    });
  }
}

async function load(place, address) {
  const picture = await fetched(address);
  if (addressOf.get(place) !== address) return; // it is to show another one by now
  if (picture === null) failed.add(place);
  else {
    place.replaceChildren(picture);
    place.classList.remove("waiting");
    if (picture.naturalWidth) place.style.setProperty("--shape", picture.naturalWidth / picture.naturalHeight);
  }
}

// An image, or words where it is gone; null when nothing came.
async function fetched(address) {
  if (gone.has(address)) return absentPicture();
  try {
    const signal = AbortSignal.timeout(PICTURE_MS);
    const response = await fetch(address, { headers: entryHeaders(), signal });
    if (response.status === 404) return absentAt(address, await response.text());
    return response.ok ? await decoded(await response.blob()) : null;
  } catch {
    return null;
  }
}

// A picture that may not be read is not gone: then the server's own words help.
function absentAt(address, words) {
  if (words.startsWith("this ") && !words.includes("deleted")) return absentPicture(words);
  if (gone.size >= MOST_GONE) gone.clear();
  gone.add(address);
  return absentPicture();
}

const absentPicture = (words = "picture gone") => made("span", { className: "absent", textContent: words.trim() });

async function decoded(blob) {
  const url = URL.createObjectURL(blob);
  const image = Object.assign(new Image(), { src: url, alt: "", draggable: false });
  try {
    await image.decode();
    return image;
  } finally {
    URL.revokeObjectURL(url);
  }
}

function retryPictures() {
  for (const place of failed) if (place.isConnected) observe(place);
  failed.clear();
}
