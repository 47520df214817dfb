// All together: the server is asked every three seconds while somebody looks.

const POLL_MS = 3000, ANSWER_MS = 10_000, TICK_MS = 1000;

const live = {
  sites: [],
  etag: null,
  answeredAt: null, // when the last answer came
  lostAt: null, // since when no answer has come; null while they come
  isShut: false,
  asking: null, // the question that has no answer yet: there are never two
  isHasty: false, // whether the next one follows at once
  timer: 0,
  said: "",
};

async function poll() {
  clearTimeout(live.timer);
  if (live.asking !== null || document.hidden) return;
  live.asking = new AbortController();
  const deadline = setTimeout(() => live.asking.abort(), ANSWER_MS);
  try {
    await take(await asked(live.asking.signal));
    live.answeredAt = nowMs();
    live.lostAt = null;
  } catch (error) {
    if (!live.isHasty) live.lostAt ??= live.answeredAt ?? nowMs();
    if (!(error instanceof TypeError) && error.name !== "AbortError") console.warn(error.message);
  } finally {
    clearTimeout(deadline);
    live.asking = null;
  }
  showOverall();
  live.timer = setTimeout(poll, live.isHasty ? 0 : POLL_MS);
  live.isHasty = false;
  document.documentElement.dataset.ready = Math.round(performance.now());
}

function asked(signal) {
  const headers = live.etag === null ? entryHeaders() : { ...entryHeaders(), "If-None-Match": live.etag };
  return fetch("now.json", { headers, signal, cache: "no-store", redirect: "manual" });
}

async function take(response) {
  live.isShut = response.status === 401;
  if (live.isShut) live.etag = null;
  else if (response.ok) {
    show(await response.json());
    live.etag = response.headers.get("ETag");
  } else if (response.status !== 304) throw new Error(`the server answers ${response.status}`);
  showEntry(!live.isShut);
  if (!live.isShut) retryPictures();
}

function show({ at_s, sites, version }) {
  clock.aheadMs = 1000 * at_s - Date.now();
  live.sites = sites;
  showSites(sites);
  growViewer();
  write("foot", `framegate ${version}, read-only.`);
}

// At once: an answer to what was asked before the phone slept may never come.
function pollNow() {
  if (document.hidden) return;
  live.isHasty = live.asking !== null;
  live.asking?.abort();
  poll();
}

const overall = emptyState(element("state"));

function overallKind() {
  if (live.isShut) return "shut";
  if (live.lostAt !== null) return "lost";
  if (live.sites.length && live.sites.every((site) => site.state === "stopped")) return "stopped";
  return live.sites.some((site) => kindOf(site) !== "good") ? "bad" : "good";
}

function showOverall() {
  const kind = overallKind(), { sites } = live;
  const problems = sites.reduce((sum, site) => sum + site.problems.length, 0);
  const written = sites.map((site) => site.written_at_s).filter((atS) => atS !== null);
  showState(overall, kind, problems, written.length ? Math.min(...written) : null);
  const name = sites.length === 1 ? sites[0].name : sites.length ? plural(sites.length, "site") : "framegate";
  writeIn(element("title"), name);
  const title = kind === "good" ? name : `⚠ ${name}`;
  if (document.title !== title) document.title = title;
  showUnanswered();
  say(kind);
}

function showUnanswered() {
  const node = element("unanswered");
  node.hidden = live.lostAt === null;
  if (node.hidden) return;
  const since = live.lostAt, before = live.sites.length ? " What is shown is from before." : "";
  showAge(node, () => `No answer for ${ageText(Math.max(0, nowMs() - since))}.${before} Trying again every ${POLL_MS / 1000} s.`);
}

// Says what is wrong when that changes; not each time a number in it does.
function say(kind) {
  const words = live.sites.flatMap((site) => site.problems.map((problem) => problem.words));
  const text = [overall.word.textContent, ...(kind === "bad" || kind === "stopped" ? words : [])].join(". ");
  const gist = text.replaceAll(/\d+/g, "");
  if (gist === live.said) return;
  live.said = gist;
  speak(text);
}

function start() {
  takeToken();
  watchEntry(pollNow);
  watchViewer();
  for (const name of ["pageshow", "online"]) addEventListener(name, (event) => event.persisted !== false && pollNow());
  document.addEventListener("visibilitychange", pollNow);
  setInterval(() => document.hidden || tickAll(), TICK_MS);
  poll();
}

start();
