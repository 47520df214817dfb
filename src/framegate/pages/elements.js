// The few ways to touch a page. What comes from outside is only ever text.

const element = (id) => document.getElementById(id);

function write(id, text) {
  element(id).textContent = text;
}

function made(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function speak(text) {
  write("spoken", text);
}
