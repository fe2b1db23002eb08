"use strict";
// The list of samples and the drill-down. What a model wrote is set as textContent, never as HTML.
(() => {
  const PAGE = 200;
  const byId = (id) => document.getElementById(id);
  const rows = [];
  for (const suite of JSON.parse(byId("data").textContent))
    for (const problem of suite.problems)
      for (const one of problem.tries) rows.push({ suite: suite.name, problem, one, place: rows.length });

  const make = (tag, text, className) => {
    const found = document.createElement(tag);
    if (text !== undefined) found.textContent = text;
    if (className) found.className = className;
    return found;
  };
  const words = (grade) => grade.replaceAll("_", " ");
  const haystack = (row) => {
    if (row.text === undefined) {
      const { problem, one } = row;
      const failure = one.failure ? Object.values(one.failure).join("\n") : "";
      row.text = [problem.id, problem.facts, one.answer, one.program, one.error, failure].join("\n").toLowerCase();
    }
    return row.text;
  };

  const fill = (select, values, label) => {
    for (const value of new Set(values)) {
      const option = make("option", label(value));
      option.value = value;
      select.append(option);
    }
  };
  fill(byId("suite"), rows.map((row) => row.suite), (name) => name);
  fill(byId("grade"), rows.map((row) => row.one.grade).sort(), words);

  let found = rows;
  let limit = PAGE;
  let chosen = null;
  const body = byId("list").tBodies[0];

  const line = (row) => {
    const { problem, one } = row;
    const tr = make("tr");
    tr.tabIndex = 0;
    tr.dataset.place = row.place;
    const name = byId("suite").value || new Set(rows.map((r) => r.suite)).size === 1 ? problem.id : `${row.suite} · ${problem.id}`;
    const grade = make("td");
    grade.append(make("span", undefined, `swatch g-${one.grade}`), words(one.grade));
    const sample = one.attempt > 1 ? `${one.index}, try ${one.attempt}` : String(one.index);
    tr.append(make("td", name), make("td", sample, "n"), grade,
      make("td", one.tests ? `${one.passed}/${one.tests}` : "", "n"), make("td", String(one.tokens), "n"));
    if (row.place === chosen) tr.className = "chosen";
    return tr;
  };
  const draw = () => {
    body.replaceChildren(...found.slice(0, limit).map(line));
    byId("shown").textContent = `${found.length} of ${rows.length}`;
    byId("more").hidden = found.length <= limit;
  };
  const filter = () => {
    const text = byId("search").value.trim().toLowerCase();
    const suite = byId("suite").value;
    const grade = byId("grade").value;
    found = rows.filter((row) => (!suite || row.suite === suite) && (!grade || row.one.grade === grade) &&
      (!text || haystack(row).includes(text)));
    limit = PAGE;
    draw();
  };

  const part = (detail, title, text) => {
    if (text === "" || text === null || text === undefined) return;
    const pre = make("pre", text);
    pre.dataset.part = title;
    detail.append(make("h3", title), pre);
  };
  const open = (place) => {
    const row = rows[place];
    if (!row) return;
    chosen = place;
    const { problem, one } = row;
    const detail = byId("detail");
    detail.replaceChildren(make("h2", problem.id));
    const grade = make("p", undefined, "meta");
    grade.append(make("span", undefined, `swatch g-${one.grade}`), words(one.grade),
      ` · ${row.suite} · sample ${one.index}${one.attempt > 1 ? `, try ${one.attempt}` : ""}`,
      one.tests ? ` · ${one.passed} of ${one.tests} tests` : "", ` · ${one.tokens} tokens in ${one.latency} s`,
      one.finish ? ` · ended by ${one.finish}` : "", one.seed === null ? "" : ` · seed ${one.seed}`,
      ` · ${one.cpu} CPU-s`, problem.facts ? ` · ${problem.facts}` : "");
    detail.append(grade);
    if (one.error) part(detail, "Endpoint's failure", one.error);
    if (one.failure) {
      const { test, given, expected, got, message } = one.failure;
      part(detail, "What went wrong", message);
      part(detail, test === null ? "Input" : `First failing test, number ${test}: input`, given);
      part(detail, "Expected", expected);
      part(detail, "Got", got);
    }
    part(detail, "Program as graded", one.program);
    part(detail, "Answer", one.answer);
    part(detail, "Reasoning", one.reasoning);
    part(detail, "Prompt", problem.prompt);
    detail.scrollTop = 0;
    for (const tr of body.rows) tr.className = Number(tr.dataset.place) === place ? "chosen" : "";
  };
  const fromHash = () => {
    const match = /^#sample-(\d+)$/.exec(location.hash);
    if (match) open(Number(match[1]));
  };

  const choose = (event) => {
    const tr = event.target.closest("tr");
    if (!tr || (event.type === "keydown" && event.key !== "Enter")) return;
    history.replaceState(null, "", `#sample-${tr.dataset.place}`);
    open(Number(tr.dataset.place));
  };
  body.addEventListener("click", choose);
  body.addEventListener("keydown", choose);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  for (const id of ["search", "suite", "grade"]) byId(id).addEventListener("input", filter);
  byId("more").addEventListener("click", () => { limit += PAGE; draw(); });
  window.addEventListener("hashchange", fromHash);
  filter();
  fromHash();
})();
