async function poll() {
  const answer = await fetch("/now.json", { cache: "no-store" });
  const now = await answer.json();
  const lines = now.sites.flatMap((site) => [`${site.name}: ${site.state}`, ...site.problems.map((problem) => problem.words)]);
  document.getElementById("sites").replaceChildren(...lines.map((line) => {
    const paragraph = document.createElement("p");
    paragraph.textContent = line;
    return paragraph;
  }));
}
setInterval(poll, 3000);
poll();
