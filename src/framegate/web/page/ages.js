// Ages that grow by themselves. The server's clock counts: a phone's may be wrong.

const clock = { aheadMs: 0 };

const nowMs = () => Date.now() + clock.aheadMs;
const agoText = (atS) => ageText(Math.max(0, nowMs() - 1000 * atS));

const ages = new Map(); // of each element that shows an age, what makes its text; it leaves with its element

function showAge(node, textNow) {
  ages.set(node, textNow);
  tick(node, textNow);
}

function tick(node, textNow) {
  const text = textNow();
  if (node.textContent !== text) node.textContent = text;
}

function tickAll() {
  for (const [node, textNow] of ages) {
    if (node.isConnected) tick(node, textNow);
    else ages.delete(node);
  }
}
