// Offsets count code points, as Python does. A string of this language counts UTF-16 units, of which an emoji has two:
// so a text is taken apart by Array.from, and nothing here indexes a string. Text enters the page by textContent alone.
"use strict";

const $ = (id) => document.getElementById(id);
const about = JSON.parse($("about").textContent);
const hidden = new Set(); // types that the legend has switched off
let shown = { points: [], entities: [], seconds: 0 }; // what was answered last

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

function visible() {
  const least = Number($("threshold").value);
  return shown.entities.filter((entity) => entity.score >= least && !hidden.has(entity.label));
}

/** [start, end, entities that cover it], over all of 0..length: cut wherever an entity starts or ends. */
function segments(length, entities) {
  const edges = new Set([0, length]);
  for (const { start, end } of entities) edges.add(start).add(end);
  const sorted = [...edges].sort((one, other) => one - other);
  const inOrder = [...entities].sort((one, other) => one.start - other.start);
  let next = 0;
  const pieces = [];
  let covering = [];
  for (let i = 0; i + 1 < sorted.length; i++) {
    const [start, end] = [sorted[i], sorted[i + 1]];
    covering = covering.filter((entity) => entity.end > start);
    while (inOrder[next]?.start === start) covering.push(inOrder[next++]);
    pieces.push([start, end, covering.slice()]);
  }
  return pieces;
}

function described(entity) {
  const model = entity.model ? `  ${entity.model}` : "";
  return `${entity.label}  ${entity.score.toFixed(3)}  [${entity.start}, ${entity.end})${model}`;
}

function marked(text, start, end, covering) {
  const shortest = covering.reduce((one, other) => (other.end - other.start < one.end - one.start ? other : one));
  const ending = covering.filter((entity) => entity.end === end);
  const mark = element("mark", { textContent: text, tabIndex: 0 });
  mark.style.setProperty("--tint", about.colours[shortest.label] ?? "#cccccc");
  mark.dataset.tip = covering.map(described).join("\n");
  mark.setAttribute("aria-description", mark.dataset.tip);
  mark.dataset.label = ending.map((entity) => entity.label).join(" · ");
  mark.classList.toggle("first", covering.some((entity) => entity.start === start));
  mark.classList.toggle("last", ending.length > 0);
  return mark;
}

function drawText() {
  const nodes = document.createDocumentFragment();
  for (const [start, end, covering] of segments(shown.points.length, visible())) {
    const text = shown.points.slice(start, end).join("");
    nodes.append(covering.length ? marked(text, start, end, covering) : text);
  }
  $("result").replaceChildren(nodes);
}

function drawLegend() {
  const least = Number($("threshold").value);
  const counts = new Map(Object.keys(about.colours).map((label) => [label, 0]));
  for (const { label, score } of shown.entities) {
    if (score >= least) counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const buttons = [...counts].map(([label, count]) => {
    const button = element("button", { type: "button", textContent: label });
    button.append(element("span", { className: "number", textContent: count }));
    button.style.setProperty("--tint", about.colours[label] ?? "#cccccc");
    button.setAttribute("aria-pressed", String(!hidden.has(label)));
    button.addEventListener("click", () => {
      if (!hidden.delete(label)) hidden.add(label);
      draw();
      [...$("legend").children].find((other) => other.firstChild.data === label)?.focus();
    });
    return button;
  });
  $("legend").replaceChildren(...buttons);
}

function draw() {
  $("least").value = Number($("threshold").value).toFixed(2);
  $("tip").hidden = true;
  drawLegend();
  drawText();
  if (!shown.points.length) return;
  const number = visible().length;
  const rest = shown.entities.length - number;
  const most = number === 1 ? "1 entity" : `${number} entities`;
  say(`${most}${rest ? `, ${rest} not shown` : ""}, ${shown.points.length} characters, ${shown.seconds.toFixed(2)} s`);
}

function say(text, fault = false) {
  $("status").textContent = text;
  $("status").classList.toggle("fault", fault);
}

/** The service's answer to a text, or an Error whose message a person can read. */
async function predict(text) {
  let response;
  try {
    response = await fetch("predict", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ text: text.toWellFormed?.() ?? text }), // half an emoji is no Unicode: one U+FFFD for it
    });
  } catch {
    throw new Error("The service does not answer. Is it still running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The service answered ${response.status}.`);
  return answer.entities;
}

async function tag() {
  if ($("tag").disabled) return;
  const text = $("text").value;
  const started = performance.now();
  $("tag").disabled = true;
  say("Reading …");
  try {
    const entities = await predict(text);
    shown = { points: Array.from(text), entities, seconds: (performance.now() - started) / 1000 };
    $("copy").disabled = false;
    draw();
    if (!text) say("There is no text.");
  } catch (error) {
    say(error.message, true);
  } finally {
    $("tag").disabled = false;
  }
}

async function copy() {
  const json = JSON.stringify({ text: shown.points.join(""), entities: visible() }, null, 1);
  try {
    await navigator.clipboard.writeText(json);
  } catch { // browsers give the clipboard to https and to this machine only
    const area = document.body.appendChild(element("textarea", { value: json }));
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) return say("The browser does not allow copying.", true);
  }
  say(`Copied ${visible().length} entities.`);
}

function tip(event) {
  const mark = event.target.closest?.("mark");
  $("tip").hidden = !mark;
  if (!mark) return;
  $("tip").textContent = mark.dataset.tip;
  const [place] = mark.getClientRects();
  const box = $("tip").getBoundingClientRect();
  $("tip").style.left = `${Math.max(8, Math.min(place.left, innerWidth - box.width - 8))}px`;
  $("tip").style.top = `${place.top > box.height + 8 ? place.top - box.height - 6 : place.bottom + 6}px`;
}

$("tag").addEventListener("click", tag);
$("copy").addEventListener("click", copy);
$("threshold").addEventListener("input", draw);
$("example").addEventListener("click", () => {
  $("text").value = about.example;
  tag();
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) tag();
});
for (const name of ["mouseover", "focusin"]) document.addEventListener(name, tip);
$("result").addEventListener("scroll", () => ($("tip").hidden = true));
draw();
