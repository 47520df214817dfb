// A section a site: what is wrong there, its cameras in order of their names, its totals.

const sections = new Map(); // by the site's name

const LAMPS = { good: "All well", bad: "", lost: "No connection", stopped: "Daemon stopped", shut: "Token needed" };

// Shows how things are: a lamp of a shape of its own for each state, a word, the age of what is shown.
function emptyState(root) {
  const state = { root, word: made("b"), age: made("span", { className: "age" }) };
  const lamp = made("span", { className: "lamp" });
  lamp.setAttribute("aria-hidden", "true");
  root.append(lamp, state.word, state.age);
  return state;
}

function showState(state, kind, problems, atS) {
  state.root.className = `state ${kind}`;
  writeIn(state.word, kind === "bad" ? plural(problems, "problem") : LAMPS[kind]);
  showAge(state.age, () => (atS === null ? "" : agoText(atS)));
}

function kindOf(site) {
  if (site.state === "stopped") return "stopped";
  return site.problems.length ? "bad" : "good";
}

function emptySection(number) {
  const section = {
    name: made("h2", { id: `site-${number}-name` }),
    state: emptyState(made("p", { className: "state" })),
    problems: made("ul", { className: "wrong" }),
    none: made("p", { className: "none", textContent: "No frame so far." }),
    cameras: made("div", { className: "cameras" }),
    totals: made("p", { className: "totals" }),
    cards: new Map(), // by the camera's name
  };
  section.root = made(
    "section",
    { className: "site" },
    made("div", { className: "site-head" }, section.name, section.state.root),
    section.problems,
    section.none,
    section.cameras,
    section.totals,
  );
  section.root.setAttribute("aria-labelledby", section.name.id);
  section.problems.setAttribute("aria-label", "What is wrong");
  return section;
}

function showSites(sites) {
  const box = element("sites");
  box.classList.toggle("single", sites.length === 1);
  for (const [place, site] of sites.entries()) {
    if (!sections.has(site.name)) sections.set(site.name, emptySection(sections.size + 1));
    const section = sections.get(site.name);
    if (box.children[place] !== section.root) box.insertBefore(section.root, box.children[place] ?? null);
    showSite(section, site);
  }
  const names = new Set(sites.map((site) => site.name));
  forgetOthers(sections, names);
}

function forgetOthers(parts, names) {
  for (const [name, part] of parts) {
    if (names.has(name)) continue;
    part.root.remove();
    parts.delete(name);
  }
}

function showSite(section, site) {
  writeIn(section.name, site.name);
  showState(section.state, kindOf(site), site.problems.length, site.written_at_s);
  showCameras(section, site.cameras);
  showProblems(section, site.problems);
  section.totals.hidden = site.state === "unknown";
  showAge(section.totals, () => (site.state === "unknown" ? "" : totalsText(site)));
}

function showCameras(section, cameras) {
  section.none.hidden = cameras.length > 0;
  for (const [place, camera] of cameras.entries()) {
    if (!section.cards.has(camera.name)) section.cards.set(camera.name, emptyCard());
    const card = section.cards.get(camera.name), there = section.cameras.children[place];
    if (there !== card.root) section.cameras.insertBefore(card.root, there ?? null);
    showCard(card, camera);
  }
  forgetOthers(section.cards, new Set(cameras.map((camera) => camera.name)));
}

// The list stays while its cameras do: a link in it may have the focus.
function showProblems(section, problems) {
  const list = section.problems;
  list.hidden = !problems.length;
  while (list.children.length > problems.length) list.lastElementChild.remove();
  for (const [place, { words, camera }] of problems.entries()) {
    const card = section.cards.get(camera), id = card?.root.id ?? "";
    let item = list.children[place];
    if (item?.dataset.card !== id) {
      const fresh = made("li", {}, card === undefined ? made("span") : linkTo(card));
      fresh.dataset.card = id;
      if (item === undefined) list.append(fresh);
      else item.replaceWith(fresh);
      item = fresh;
    }
    writeWords(item.firstElementChild, words);
  }
}

// The address stays as it is: what stands behind its # would be taken for a token.
function linkTo(card) {
  const link = made("a", { href: `#${card.root.id}` });
  link.addEventListener("click", (event) => {
    event.preventDefault();
    card.root.scrollIntoView({ block: "start" });
    card.root.focus({ preventScroll: true });
  });
  return link;
}

const WATCH = { inotify: "Arrivals at once (inotify)", poll: "Arrivals by sweeps" };

function totalsText(site) {
  const { totals } = site;
  const counts = [`${grouped(totals.kept)} of ${plural(totals.seen, "frame")} kept`];
  if (totals.rejected) counts.push(`${grouped(totals.rejected)} rejected`);
  if (totals.pending) counts.push(`${grouped(totals.pending)} waiting`);
  const facts = [];
  if (site.watch !== null) facts.push(WATCH[site.watch] ?? `Arrivals by ${site.watch}`);
  facts.push(site.free_bytes === null ? "the results folder is absent" : `${sizeText(site.free_bytes)} free`);
  if (site.config_revision !== null) facts.push(`config revision ${site.config_revision}`);
  if (site.state === "serving") facts.push(`up ${ageText(1000 * site.uptime_s + nowMs() - 1000 * site.written_at_s)}`);
  return `${counts.join(", ")}. ${facts.join("; ")}.`;
}

function sizeText(bytes) {
  for (const [unit, size] of [["TB", 1e12], ["GB", 1e9]])
    if (bytes >= size) return `${(bytes / size).toFixed(bytes < 10 * size ? 1 : 0)}${THIN_SPACE}${unit}`;
  return `${Math.round(bytes / 1e6)}${THIN_SPACE}MB`;
}
