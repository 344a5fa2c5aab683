// What the page can do beyond being read: find, show only, open what a link points at, go by keys.
"use strict";
(() => {
  const find = document.getElementById("find");
  if (!find) return;
  for (const e of document.querySelectorAll(".find, .keys")) e.hidden = false;

  const items = [...document.querySelectorAll(".item")];
  const found = document.getElementById("found");
  const chips = [...document.querySelectorAll(".chips button")];
  const texts = new Map();
  const textOf = (item) => {
    let text = texts.get(item);
    if (text === undefined) texts.set(item, (text = item.textContent.toLowerCase()));
    return text;
  };
  // A state that nothing is in is no choice.
  for (const chip of chips) chip.hidden = !items.some((i) => i.dataset.state.split(" ").includes(chip.dataset.only));

  let current = null;
  const show = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const only = chips.filter((c) => c.getAttribute("aria-pressed") === "true").map((c) => c.dataset.only);
    let n = 0;
    for (const item of items) {
      const hit =
        (!only.length || item.dataset.state.split(" ").some((s) => only.includes(s))) &&
        (!words.length || words.every((w) => textOf(item).includes(w)));
      item.classList.toggle("miss", !hit);
      if (hit) n++;
    }
    const any = words.length || only.length;
    found.textContent = any ? `${n.toLocaleString("en")} of ${items.length.toLocaleString("en")} lines and entries` : "";
    if (current && current.classList.contains("miss")) current = null;
  };
  let due = 0;
  find.addEventListener("input", () => {
    clearTimeout(due);
    due = setTimeout(show, 120);
  });
  for (const chip of chips)
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
      show();
    });

  // A link to something closed, or hidden by a search, opens it.
  const reveal = () => {
    let id;
    try {
      id = decodeURIComponent(location.hash.slice(1));
    } catch {
      return;
    }
    const target = id && document.getElementById(id);
    if (!target) return;
    for (let e = target; e; e = e.parentElement) {
      if (e.tagName === "DETAILS") e.open = true;
      e.classList.remove("miss");
    }
    if (target.classList.contains("item")) current = target;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (e) => {
    const link = e.target.closest && e.target.closest('a[href^="#"]');
    if (link && link.hash === location.hash) reveal(); // no hashchange comes
  });
  reveal();

  const go = (by) => {
    const list = items.filter((i) => i.tagName === "DETAILS" && !i.classList.contains("miss"));
    if (!list.length) return;
    const at = current ? list.indexOf(current) : -1;
    current = list[Math.min(Math.max(at < 0 ? (by > 0 ? 0 : list.length - 1) : at + by, 0), list.length - 1)];
    const summary = current.querySelector("summary");
    summary.focus({ preventScroll: true });
    current.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("focusin", (e) => {
    const item = e.target.closest("details.item");
    if (item) current = item;
  });
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "Escape") {
      find.value = "";
      for (const chip of chips) chip.setAttribute("aria-pressed", "false");
      show();
      return;
    }
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName)) return;
    if (e.key === "/") {
      e.preventDefault();
      find.focus();
      find.select();
    } else if (e.key === "j") go(1);
    else if (e.key === "k") go(-1);
  });
})();
