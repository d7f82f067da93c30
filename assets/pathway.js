// Words → subnetworks → concepts → label. Nodes are plain HTML, so that text wraps and a concept is a real
// button; the links between them are drawn behind. Whatever comes from the review goes through textContent.

const SVG = "http://www.w3.org/2000/svg";

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function bar(share, on) {
  const outer = element("span", on ? "bar on" : "bar");
  const inner = element("i");
  inner.style.width = `${Math.max(share * 100, 0.5)}%`;
  outer.append(inner);
  return outer;
}

// The cells only say how much shows through: the colour under them is the theme's, whenever it changes.
function tile(mask) {
  const canvas = element("canvas");
  canvas.width = mask.columns;
  canvas.height = mask.rows;
  const context = canvas.getContext("2d");
  mask.cells.forEach((level, i) => {
    context.globalAlpha = level / 255;
    context.fillRect(i % mask.columns, Math.floor(i / mask.columns), 1, 1);
  });
  const cells = element("span", "mask");
  cells.style.maskImage = `url(${canvas.toDataURL()})`;
  const picture = element("span", "picture");
  picture.append(cells);
  return picture;
}

function button(className, press) {
  const node = element("button", className);
  node.type = "button";
  node.addEventListener("click", press);
  return node;
}

// The states of the selected concept: where it can be corrected, each that the model does not find is a button.
function stateList(concept, ask, correct) {
  const states = element("div", "states");
  if (correct) {
    states.setAttribute("role", "group");
    states.setAttribute("aria-label", `${concept.title}. ${ask}`);
  }
  for (const state of concept.states) {
    const can = correct && !state.on;
    const line = can ? button("choice", () => correct(concept.name, state.name)) : element("div", "choice");
    if (can) line.dataset.control = `${concept.name}=${state.name}`;
    line.append(element("span", "", state.title), bar(state.share, state.on), element("span", "share", state.text));
    states.append(line);
  }
  if (correct) states.append(element("p", "ask", ask));
  return states;
}

function head(concept) {
  return [
    element("span", "title", concept.title),
    element("span", `number ${concept.side}`, concept.text),
    element("span", "state", concept.state),
  ];
}

function partRow(part, selected, pick, states) {
  const press = pick && (() => pick(part.name));
  // A row is one button, but for the selected one: its states are buttons of their own.
  const row = pick && !selected ? button("row", press) : element("div", selected ? "row selected" : "row");
  const left = element("span", "tile");
  if (part.mask.cells.length) left.append(tile(part.mask));
  left.append(element("span", "caption", part.mask.caption));
  const card = element(selected ? "div" : "span", "card");
  if (selected) {
    const own = button("head", press);
    own.append(...head(part));
    card.append(own, states);
  } else {
    card.append(...head(part));
  }
  if (pick) {
    const choice = selected ? card.firstChild : row;
    choice.dataset.control = part.name;
    choice.setAttribute("aria-pressed", String(selected));
  }
  row.append(left, card);
  return row;
}

function wordList(data) {
  if (data.note) return element("p", "note", data.note);
  const list = element("ol", "words-list");
  for (const word of data.words) {
    const item = element("li");
    item.append(element("span", "text", word.title), element("span", `number ${word.side}`, word.text));
    list.append(item);
  }
  return list;
}

function labelList(data) {
  const list = element("ol", "labels-list");
  for (const label of data.labels) {
    const item = element("li");
    if (label.on) item.setAttribute("aria-current", "true");
    item.append(element("span", "", label.title), element("span", "share", label.text), bar(label.share, label.on));
    if (label.on) item.append(element("span", "score", data.score));
    list.append(item);
  }
  return list;
}

// What is no single concept: of many those that are not shown, together, and where the sum starts.
function sums(data) {
  return data.others ? [data.others, data.base] : [data.base];
}

function build(data, pick, correct) {
  const frame = element("div", "frame");
  const links = document.createElementNS(SVG, "svg");
  links.setAttribute("class", "links");
  links.setAttribute("aria-hidden", "true");
  const heads = element("div", "heads");
  heads.append(element("h3", "", data.headings.mask), element("h3", "", data.headings.concept));
  const rows = element("div", "rows");
  rows.setAttribute("role", "group");
  rows.setAttribute("aria-label", data.headings.choose);
  for (const concept of data.concepts) {
    const selected = concept.name === data.selected;
    rows.append(partRow(concept, selected, pick, selected && stateList(concept, data.ask, data.ask && correct)));
  }
  if (data.rest) rows.append(partRow(data.rest, false, null));
  for (const sum of sums(data)) {
    const row = element("div", "base");
    row.append(element("span", "", sum.title), element("span", `number ${sum.side ?? ""}`, sum.text));
    rows.append(row);
  }
  frame.append(
    links,
    element("h3", "words", data.headings.words),
    wordList(data),
    heads,
    rows,
    element("h3", "labels", data.headings.label),
    labelList(data),
  );
  return frame;
}

function curve(links, from, to, kind, width, opacity, sideways) {
  const path = document.createElementNS(SVG, "path");
  let shape;
  if (sideways) {
    // Out to the right and back: the way down on a narrow page.
    const bend = Math.max(from.x, to.x) + sideways;
    shape = `M${from.x} ${from.y} C${bend} ${from.y} ${bend} ${to.y} ${to.x} ${to.y}`;
  } else {
    const middle = (from.x + to.x) / 2;
    shape = `M${from.x} ${from.y} C${middle} ${from.y} ${middle} ${to.y} ${to.x} ${to.y}`;
  }
  path.setAttribute("d", shape);
  path.setAttribute("class", kind);
  path.setAttribute("stroke-width", width.toFixed(1));
  path.setAttribute("opacity", String(opacity));
  links.append(path);
}

function connect(frame, data) {
  const links = frame.querySelector(".links");
  links.replaceChildren();
  const origin = frame.getBoundingClientRect();
  if (!origin.width) return;
  const narrow = origin.width < 900;
  const at = (node, side, height = 0.5) => {
    const box = node.getBoundingClientRect();
    return { x: (side === "left" ? box.left : box.right) - origin.left, y: box.top + box.height * height - origin.top };
  };
  const current = frame.querySelector('.labels-list li[aria-current="true"]');
  const target = current && at(current.querySelector(".bar"), narrow ? "right" : "left");
  if (target) target.x += narrow ? 4 : -8;
  const parts = data.rest ? [...data.concepts, data.rest] : data.concepts;
  const largest = Math.max(...[...parts, ...sums(data)].map((part) => Math.abs(part.value)), 1e-9);
  const thickness = (value) => 1.5 + (13 * Math.abs(value)) / largest;
  frame.querySelectorAll(".row").forEach((row, i) => {
    const concept = parts[i];
    const selected = concept.name === data.selected;
    const mask = row.querySelector(".picture") || row.querySelector(".caption");
    const card = row.querySelector(".card");
    const start = at(mask, "right");
    curve(links, start, { x: at(card, "left").x, y: start.y }, selected ? "on" : "plain", 2.5, 1);
    if (target) {
      const from = at(card, "right");
      if (!narrow) from.y = at(card.querySelector(".title"), "right").y;
      curve(links, from, target, concept.side, thickness(concept.value), selected ? 0.8 : 0.42, narrow ? 26 : 0);
    }
    if (selected && !narrow && !data.note) {
      const most = Math.max(...data.words.map((word) => Math.abs(word.value)), 1e-9);
      frame.querySelectorAll(".words-list li").forEach((item, j) => {
        const { value, side } = data.words[j];
        const width = 1.2 + (9 * Math.abs(value)) / most;
        curve(links, at(item, "right"), at(mask, "left"), side, width, 0.5);
      });
    }
  });
  frame.querySelectorAll(".base").forEach((row, i) => {
    const { value, side } = sums(data)[i];
    if (target) curve(links, at(row, "right"), target, side ?? "plain", thickness(value), 0.9, narrow ? 26 : 0);
  });
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".pathway");
  const active = parentElement.activeElement ?? document.activeElement;
  const focused = root.contains(active) ? active.dataset.control : undefined;
  const frame = build(
    data,
    (name) => setTriggerValue("selected", name),
    (concept, state) => setTriggerValue("corrected", { concept, state }),
  );
  root.replaceChildren(frame);
  if (focused !== undefined) {
    // A state that is now the one found is no button any more: its concept is.
    const controls = [...root.querySelectorAll("[data-control]")];
    const same = (name) => controls.find((node) => node.dataset.control === name);
    (same(focused) ?? same(focused.split("=")[0]))?.focus({ preventScroll: true });
  }
  root.watcher?.disconnect();
  root.watcher = new ResizeObserver(() => connect(frame, data));
  root.watcher.observe(frame);
  connect(frame, data);
  return () => root.watcher.disconnect();
}
