// Brings a part of the page into view, and the focus to its choice, without a run. Keys become classes as Streamlit
// makes them: anything but letters, digits, "_" and "-" is a "-".

export default function ({ data, parentElement }) {
  const button = parentElement.querySelector("button");
  button.textContent = data.label;
  button.onclick = () => {
    const find = (key) => document.querySelector(`.st-key-${key.trim().replace(/[^a-zA-Z0-9_-]/g, "-")}`);
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    find(data.place)?.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
    const group = find(data.focus) ?? find(data.place);
    const choice = group?.querySelector('[aria-checked="true"]') ?? group?.querySelector("button");
    choice?.focus({ preventScroll: true });
  };
}
