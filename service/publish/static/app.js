// Refreshes <main> in place every five seconds and keeps focus, scroll and what is unfolded.
// Without it the page is the same, and the link "Refresh" loads it anew.
"use strict";
(() => {
  const every = 5000;
  const pause = document.getElementById("pause");
  const refresh = document.getElementById("refresh");
  const announcement = document.getElementById("announcement");
  let paused = false;

  const place = (main) => {
    const active = document.activeElement;
    if (!main.contains(active)) return null;
    const kind = active.tagName;
    return [kind, [...main.querySelectorAll(kind)].indexOf(active)];
  };

  const swap = (fresh) => {
    const main = document.querySelector("main");
    const folds = new Map([...main.querySelectorAll("details")].map((d) => [d.id, d.open]));
    const scrolled = [...main.querySelectorAll(".wide")].map((w) => w.scrollLeft);
    const focused = place(main);
    if (fresh.dataset.attention !== main.dataset.attention) {
      announcement.textContent = fresh.querySelector("h1").textContent;
    }
    for (const fold of fresh.querySelectorAll("details")) {
      if (folds.has(fold.id)) fold.open = folds.get(fold.id);
    }
    main.replaceWith(fresh);
    fresh.querySelectorAll(".wide").forEach((w, i) => { w.scrollLeft = scrolled[i] || 0; });
    if (focused) fresh.querySelectorAll(focused[0])[focused[1]]?.focus({ preventScroll: true });
  };

  const load = async () => {
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      swap(page.querySelector("main"));
      document.title = page.title;
      document.body.classList.remove("stale");
    } catch {
      document.body.classList.add("stale");
    }
  };

  const selecting = () => String(getSelection()).length > 0;
  setInterval(() => {
    if (!paused && !document.hidden && !selecting()) load();
  }, every);

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on" : "Pause";
    pause.setAttribute("aria-pressed", String(paused));
  });
  refresh.addEventListener("click", (event) => { event.preventDefault(); load(); });
})();
