// The token: it comes once behind the # of the address, stays in this tab, and is sent with each request.

const TOKEN = "framegate.token";

const token = () => sessionStorage.getItem(TOKEN);
const entryHeaders = () => (token() === null ? {} : { Authorization: `Bearer ${token()}` });

function takeToken() {
  const text = decodeURIComponent(location.hash.slice(1));
  if (!text) return false;
  sessionStorage.setItem(TOKEN, text);
  history.replaceState(null, "", location.pathname + location.search);
  return true;
}

// Called with each answer: whether it let this page in.
function showEntry(isOpen) {
  if (element("entry").hidden === isOpen) return;
  element("entry").hidden = isOpen;
  element("sites").hidden = !isOpen;
  if (isOpen) return;
  write("entryAddress", `${location.origin}${location.pathname}#TOKEN`);
  element("refused").hidden = token() === null;
  sessionStorage.removeItem(TOKEN);
}

function watchEntry(comeIn) {
  addEventListener("hashchange", () => takeToken() && comeIn());
  element("entryForm").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(TOKEN, element("entryToken").value.trim());
    element("entryToken").value = "";
    element("entry").hidden = true; // shown again, with the reason, if this one is refused too
    comeIn();
  });
}
