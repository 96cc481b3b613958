"use strict";

// Tables sort by the column whose name is clicked: numbers by the value that
// the cell rounds, texts by their letters.
const letters = new Intl.Collator(undefined, {numeric: true});

function valueOf(row, column) {
  const cell = row.cells[column];
  return cell.dataset.value === undefined
    ? cell.textContent.trim()
    : Number(cell.dataset.value);
}

function compare(one, other, sign) {
  // What has no number stands below all that have one, however they go.
  const ranks = [one, other].map((v) => (typeof v === "number" ? 0 : 1));
  if (ranks[0] !== ranks[1]) return ranks[0] - ranks[1];
  return sign * (ranks[0] ? letters.compare(one, other) : one - other);
}

function sortBy(table, header) {
  const column = header.cellIndex;
  const numeric = header.classList.contains("number");
  const before = header.getAttribute("aria-sort");
  const first = numeric ? "descending" : "ascending";
  const second = numeric ? "ascending" : "descending";
  const order = before === first ? second : first;
  for (const one of table.tHead.rows[0].cells) one.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", order);
  const body = table.tBodies[0];
  const sign = order === "ascending" ? 1 : -1;
  const rows = [...body.rows].map((row) => [valueOf(row, column), row]);
  rows.sort((one, other) => compare(one[0], other[0], sign));
  body.append(...rows.map((pair) => pair[1]));
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  for (const header of table.tHead.rows[0].cells) {
    if (!header.textContent.trim()) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sortBy(table, header));
  }
}

// On paper nothing can be unfolded.
const folded = [];
window.addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details:not([open])")) {
    folded.push(one);
    one.open = true;
  }
});
window.addEventListener("afterprint", () => {
  for (const one of folded.splice(0)) one.open = false;
});

// On a phone the list of sections would fill the first screen.
if (window.matchMedia("(max-width: 63.99rem)").matches) {
  document.querySelector("nav details").open = false;
}
