// A region whose text a screen reader says, and what comes into view with it. On every page, so that the focus
// is kept here as well: where the widget that has it is drawn anew or can no longer be pressed, the browser would
// let go of it.

const CONTROLS = 'button, [role="radio"], input, textarea, a[href]';
const KEYED = '[class*="st-key-"]';

function keyOf(box) {
  return [...box.classList].find((name) => name.startsWith("st-key-"));
}

// A label without the badge that says how sure the model is.
function labelOf(node) {
  const copy = node.cloneNode(true);
  copy.querySelectorAll(".stMarkdownBadge").forEach((badge) => badge.remove());
  return (node.getAttribute("aria-label") ?? copy.textContent).trim();
}

function describe(node) {
  const keys = [];
  for (let box = node.closest(KEYED); box; box = box.parentElement?.closest(KEYED)) keys.push(keyOf(box));
  return { node, keys, label: labelOf(node) };
}

// The same control drawn anew; else, of the nearest part around it, the next one that can be pressed, or the one
// that is chosen.
function successor({ node, keys, label }) {
  for (const key of keys) {
    const controls = [...document.querySelectorAll(`.${CSS.escape(key)} :is(${CONTROLS})`)];
    const able = controls.filter((other) => !other.disabled);
    if (!able.length) continue;
    const same = able.find((other) => labelOf(other) === label);
    const follows = (other) => node.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING;
    const next = node.isConnected ? able.find(follows) : undefined;
    return same ?? next ?? able.find((other) => other.getAttribute("aria-checked") === "true") ?? able.at(-1);
  }
  return undefined;
}

function keepFocus() {
  let last = null;
  document.addEventListener("focusin", ({ target }) => {
    last = target instanceof HTMLElement && target.matches(CONTROLS) ? describe(target) : null;
  });
  const watcher = new MutationObserver(() => {
    if (!last || document.activeElement !== document.body) return;
    if (last.node.isConnected && !last.node.disabled) return;
    successor(last)?.focus({ preventScroll: true });
  });
  watcher.observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["disabled"] });
}

if (!window.sparsecbmKeepsFocus) {
  window.sparsecbmKeepsFocus = true;
  keepFocus();
}

// A part of the page is brought into view when its ``turn`` has changed since, not when the page is opened.
export default function ({ data, parentElement }) {
  const status = parentElement.querySelector("[role=status]");
  if (status.textContent !== data.text) status.textContent = data.text;
  const turn = String(data.turn);
  const before = status.dataset.turn;
  status.dataset.turn = turn;
  if (before === undefined || before === turn) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  document.querySelector(`.st-key-${data.place}`)?.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
}
