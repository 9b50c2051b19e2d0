"use strict";
(() => {
  const PER_PAGE = 20;
  const at = (id) => document.getElementById(id);
  const number = (value) => value.toLocaleString("en");

  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  function browse() {
    const { labels, lines, kinds, choices, rows } = JSON.parse(at("texts").textContent);
    const lowered = new Array(rows.length);
    let found = [];
    let page = 0;

    function choose() {
      const all = [...choices.map((choice, index) => [choice.name, index]), ["everything", -1]];
      const totals = new Array(choices.length).fill(0);
      for (const row of rows) for (const index of row[2]) totals[index] += 1;
      let first = true;
      for (const [name, index] of all) {
        const total = index < 0 ? rows.length : totals[index];
        const input = make("input", { type: "radio", name: "choice", value: String(index), checked: first && total > 0 });
        if (input.checked) first = false;
        const label = make("label", { className: "choice" }, input);
        label.append(make("span", {}, name + " ", make("small", {}, number(total))));
        at("choices").append(label);
      }
      labels.map((label, index) => [label, index]).sort((one, other) => one[0].localeCompare(other[0]))
        .forEach(([label, index]) => at("label").append(make("option", { value: String(index) }, label)));
    }

    function fits(row, index, choice, label, words) {
      if (choice >= 0 && !row[2].includes(choice)) return false;
      if (label >= 0) {
        const kind = choice >= 0 ? choices[choice].kind : null;
        if (!row[3].some((mark) => mark[4] === label && (kind === null || mark[1] === kind))) return false;
      }
      if (!words) return true;
      lowered[index] ??= row[0].toLowerCase();
      return lowered[index].includes(words);
    }

    function filter() {
      const choice = Number(document.querySelector("input[name=choice]:checked")?.value ?? -1);
      const label = at("label").value === "" ? -1 : Number(at("label").value);
      const words = at("text").value.toLowerCase();
      found = [];
      rows.forEach((row, index) => { if (fits(row, index, choice, label, words)) found.push(row); });
      page = 0;
      show();
    }

    function marked(row, line) {
      const characters = Array.from(row[0]);
      const text = (start, end) => characters.slice(start, end).join("");
      const shown = make("p", { dir: "auto" });
      let position = 0;
      const marks = row[3].filter((mark) => mark[0] === line || mark[0] < 0).sort((one, other) => one[2] - other[2]);
      for (const [, kind, start, end, label] of marks) {
        const kindName = make("span", { className: "unseen" }, ` ${kinds[kind]}`);
        const mark = make("mark", { className: `kind-${kind}`, title: kinds[kind] }, text(start, end));
        mark.append(make("small", {}, labels[label]), kindName);
        shown.append(text(position, start), mark);
        position = end;
      }
      shown.append(text(position));
      return shown;
    }

    function entry(row) {
      const item = make("li");
      if (row[1]) item.append(make("p", { className: "place" }, row[1]));
      const alike = row[3].every((mark) => mark[0] < 0);
      (alike ? [lines.length > 2 ? "All" : "Both"] : lines).forEach((name, line) => {
        item.append(make("div", { className: "line" }, make("b", {}, name), marked(row, line)));
      });
      return item;
    }

    function show() {
      const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
      at("list").replaceChildren(...found.slice(page * PER_PAGE, (page + 1) * PER_PAGE).map(entry));
      at("list").start = page * PER_PAGE + 1;
      at("found").textContent = `${number(found.length)} of ${number(rows.length)}`;
      at("page").textContent = `${number(page + 1)} of ${number(pages)}`;
      at("back").disabled = page === 0;
      at("next").disabled = page + 1 >= pages;
    }

    function turn(by) {
      page += by;
      show();
      at("sentences-title").scrollIntoView();
    }

    choose();
    at("filters").addEventListener("input", filter);
    at("filters").addEventListener("submit", (event) => event.preventDefault());
    at("back").addEventListener("click", () => turn(-1));
    at("next").addEventListener("click", () => turn(1));
    filter();
  }

  function unfoldForPrint() {
    let opened = [];
    addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details:not([open])")];
      for (const details of opened) details.open = true;
    });
    addEventListener("afterprint", () => { for (const details of opened) details.open = false; });
  }

  function followSections() {
    const links = new Map([...document.querySelectorAll(".sections a")].map((link) => [link.hash.slice(1), link]));
    const watcher = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const link = links.get(target.id);
        if (isIntersecting) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
    }, { rootMargin: "-30% 0px -69% 0px" });
    for (const id of links.keys()) if (at(id)) watcher.observe(at(id));
  }

  if (at("texts")) browse();
  unfoldForPrint();
  followSections();
})();
