// Copies a link to what is on the page. The text stands in the fragment, which no server gets to see. Without a
// clipboard the link can be copied by hand.

export default function ({ data, parentElement }) {
  const button = parentElement.querySelector("button");
  const field = parentElement.querySelector("input");
  const done = parentElement.querySelector("[role=status]");
  button.onclick = async () => {
    const address = new URL(location.pathname, location.origin);
    for (const [name, value] of Object.entries(data.parameters)) address.searchParams.set(name, value);
    const fragment = data.text === null ? "" : `#review=${encodeURIComponent(data.text)}`;
    field.value = address.href + fragment;
    field.hidden = false;
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      done.textContent = "The link is copied.";
    } catch {
      done.textContent = "Copy it from the field.";
    }
  };
}
