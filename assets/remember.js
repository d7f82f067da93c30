// A fresh session is given the text that the address brings (link.js), or else what this tab remembers, before the
// tab remembers anything else.

const KEY = "sparsecbm-session";
export default function ({ data, setTriggerValue }) {
  try {
    const kept = sessionStorage.getItem(KEY);
    const asked = location.hash.match(/^#review=(.+)$/);
    if (data.fresh && asked) {
      history.replaceState(history.state, "", location.pathname + location.search);
      setTriggerValue("text", decodeURIComponent(asked[1]));
    } else if (!data.fresh) sessionStorage.setItem(KEY, data.session);
    else if (kept && kept !== data.session) setTriggerValue("restore", kept);
  } catch {
    // A browser that keeps nothing, or has no room for more: a reload then begins anew.
  }
}
