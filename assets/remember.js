// A fresh session is given the text that the address brings (link.js), or else what this tab remembers, before the
// tab remembers anything else.

const KEY = "sparsecbm-session";
const TAKEN = "sparsecbm-link";

// The address that this page was opened at: the app has written another one since. Taken up once.
function linkedText() {
  const opened = String(performance.timeOrigin);
  if (sessionStorage.getItem(TAKEN) === opened) return null;
  sessionStorage.setItem(TAKEN, opened);
  const [entry] = performance.getEntriesByType("navigation");
  const found = entry?.name.match(/#review=(.+)$/);
  return found ? decodeURIComponent(found[1]) : null;
}

export default function ({ data, setTriggerValue }) {
  try {
    const kept = sessionStorage.getItem(KEY);
    if (!data.fresh) {
      sessionStorage.setItem(KEY, data.session);
      return;
    }
    const text = linkedText();
    if (text !== null) setTriggerValue("text", text);
    else if (kept && kept !== data.session) setTriggerValue("restore", kept);
  } catch {
    // A browser that keeps nothing, or has no room for more: a reload then begins anew.
  }
}
