// Keeps an open page up to date and the keyboard useful. Every page works without it.
"use strict";
(() => {
  const body = document.body;
  const page = body.dataset.page || "";
  const here = body.dataset.here || "";
  const byId = (id) => document.getElementById(id);

  // --- signing in: links from a chat come without the strict cookie; this page's own request has it
  if (page === "sign-in") {
    fetch("/console/whoami").then((a) => a.json()).then((who) => { if (who.in) location.replace(body.dataset.back); });
    return;
  }

  // --- clocks that run
  const lasting = (s) => {
    const t = Math.max(0, Math.floor(s));
    const two = (n) => String(n).padStart(2, "0");
    const h = Math.floor(t / 3600);
    return (h ? h + ":" + two(Math.floor((t % 3600) / 60)) : Math.floor(t / 60)) + ":" + two(t % 60);
  };
  setInterval(() => {
    for (const timer of document.querySelectorAll(".timer[data-since]")) {
      timer.textContent = lasting((Date.now() - Date.parse(timer.dataset.since)) / 1000);
    }
  }, 1000);

  // --- pieces of the page that are fetched anew
  const swap = (fresh, id) => {
    const old = byId(id), now = fresh.getElementById(id);
    if (!old || !now || old.innerHTML === now.innerHTML) return;
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    old.replaceChildren(...now.childNodes);
    if (focused && byId(focused)) byId(focused).focus();
  };
  const say = (words) => { const said = byId("said"); if (said.textContent !== words) said.textContent = words; };
  const fetched = async (url) => {
    const answer = await fetch(url, { headers: { accept: "text/html" } });
    if (answer.redirected) { location.reload(); return null; }
    if (!answer.ok) return null;
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  };

  const leave = (url) => { location.assign(url); };
  // This page's own acknowledgement leads to RED by itself; hearing of it must not do so once more.
  addEventListener("submit", (event) => { if (event.target.action.endsWith("/ack")) body.dataset.acked = "yes"; });
  let first = true;
  const changed = async () => {
    if (page === "incident") {
      const fresh = await fetched(body.dataset.incident + "/live?here=" + here);
      if (!fresh) return;
      const state = fresh.getElementById("live-state");
      if (state.dataset.acked === "yes" && body.dataset.acked === "no") {
        body.dataset.acked = "yes";
        // Acknowledged elsewhere, by pager or command line: the work goes on here.
        if (body.dataset.acts === "yes" && here === "overview") { leave(body.dataset.incident + "/open/red"); return; }
      }
      swap(fresh, "live-head");
      swap(fresh, "live-side");
      if (!first) say(state.dataset.words);
    } else if (page === "list") {
      const fresh = await fetched(location.href);
      const row = fresh && body.dataset.follows ? fresh.querySelector("a.row") : null;
      if (row) { leave(row.getAttribute("href")); return; }
      if (fresh) { swap(fresh, "live-list"); if (!first) say("The list of incidents has changed."); }
    } else if (page === "run") {
      const fresh = await fetched(body.dataset.run + "/live");
      if (!fresh) return;
      const state = fresh.getElementById("live-state");
      if (state.dataset.over === "yes") { location.reload(); return; }
      swap(fresh, "live-steps");
      swap(fresh, "live-told");
      say(state.dataset.words);
    }
    first = false;
  };

  const burned = (data) => {
    const box = byId("burn");
    if (!box) return;
    if (data.why) {
      const words = document.createElement("span");
      words.className = "quiet";
      words.textContent = "burn rate: " + data.why;
      box.replaceChildren(words);
      return;
    }
    box.replaceChildren(...Object.entries(data.rates).map(([window_, rate]) => {
      const meter = document.createElement("span"), name = document.createElement("b");
      meter.className = rate !== null && rate >= 6 ? "meter hot" : "meter";
      name.textContent = window_ + " ";
      meter.append(name, rate === null ? "no data" : rate.toFixed(1) + "×");
      return meter;
    }));
  };

  if (body.dataset.events) {
    const source = new EventSource(body.dataset.events);
    let failing = 0;
    source.addEventListener("open", () => { clearTimeout(failing); failing = 0; byId("lost").hidden = true; });
    source.addEventListener("error", () => { if (!failing) failing = setTimeout(() => { byId("lost").hidden = false; }, 3000); });
    source.addEventListener("changed", () => { changed().catch(() => {}); });
    source.addEventListener("burn", (event) => burned(JSON.parse(event.data)));
    addEventListener("pagehide", () => source.close());
  }

  // --- RED panels
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const drawRed = async () => {
    const answer = await fetch(body.dataset.incident + "/red.json");
    if (!answer.ok) return;
    const data = await answer.json();
    const lines = [colour("--accent"), colour("--bulk"), colour("--good"), colour("--warn")];
    for (const panel of data.panels) {
      const box = byId("chart-" + panel.signal);
      if (!box) continue;
      const grid = { gridcolor: colour("--line"), zerolinecolor: colour("--line"), linecolor: colour("--line") };
      const marks = data.marks.map((m) => ({ type: "line", x0: m.at, x1: m.at, yref: "paper", y0: 0, y1: 1,
        line: { color: m.words === "page" ? colour("--warn") : colour("--bad"), width: 1.5, dash: "dot" } }));
      const highest = Math.max(0, ...panel.series.flatMap((s) => s.y));
      const words = data.marks.map((m, i) => ({ x: m.at, y: i % 2 ? 0.86 : 1, yref: "paper", text: m.words, showarrow: false,
        xanchor: "left", yanchor: "top", font: { size: 11, color: colour("--quiet") } }));
      await Plotly.react(box, panel.series.map((s, i) => ({ x: s.x, y: s.y, name: s.name, mode: "lines",
        line: { color: lines[i % lines.length], width: 2, dash: i % 2 ? "dash" : "solid" },
        hovertemplate: "%{y:.3~f} " + panel.unit + " at %{x|%H:%M:%S}<extra>%{fullData.name}</extra>" })), {
        margin: { l: 44, r: 8, t: 24, b: 24 }, height: 190, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        font: { color: colour("--text"), family: "inherit", size: 12 }, showlegend: true,
        legend: { orientation: "h", x: 1, xanchor: "right", y: 1.22 },
        xaxis: { ...grid, type: "date", tickformat: "%H:%M:%S", nticks: box.clientWidth < 500 ? 5 : 9 },
        yaxis: { ...grid, rangemode: "tozero",
          range: panel.signal === "errors" && highest < 0.05 ? [0, 0.05] : undefined, tickformat: panel.signal === "errors" ? ".0%" : undefined },
        shapes: marks, annotations: words,
      }, { displayModeBar: false, responsive: true });
      const moved = byId("moved-" + panel.signal);
      const found = (data.movements || []).filter((m) => m.signal === panel.signal);
      moved.replaceChildren(...(found.length || !data.movements ? found : [null]).map((m) => {
        const word = document.createElement("span");
        word.className = m ? "shape" : "quiet";
        word.textContent = m ? m.region + " " + m.text + " · " + m.shape
          : data.movements.length ? "did not move" : "not clear";
        return word;
      }));
      box.dataset.drawn = "yes";
    }
    const summary = byId("red-summary");
    if (summary) summary.textContent = data.summary;
  };
  if (here === "red" && window.Plotly) {
    const again = () => drawRed().catch(() => {}).finally(() => setTimeout(again, 5000));
    again();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawRed().catch(() => {}));
  }

  // --- keys
  const typing = (target) => target.closest("input:not([type=checkbox],[type=radio]),textarea,select,[contenteditable]");
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.key === "?") { byId("keys").showModal(); event.preventDefault(); return; }
    if (event.key === "n") {
      // Onwards only: whatever goes on record is clicked, or sent from where it was typed.
      const views = [...document.querySelectorAll(".views a[data-key]")];
      const then = views[views.findIndex((v) => v.hasAttribute("aria-current")) + 1];
      if (then) { then.click(); event.preventDefault(); }
      return;
    }
    if (event.key === "m" && byId("note")) { byId("note").focus(); event.preventDefault(); return; }
    const view = document.querySelector(`.views a[data-key="${CSS.escape(event.key)}"]`);
    if (view) { view.click(); event.preventDefault(); }
  });
})();
