// Draws the figures of a page with plotly, which is fetched only where there is one.
// Colours come from the tokens: a trace or shape names its token in `meta.color`, and is drawn again when the theme changes.

(() => {
  const url = document.querySelector("meta[name=plotly]")?.content;
  let loading;

  // plotly would add style elements, which the page's policy refuses. Each looks for its id first; where that is taken,
  // it leaves the styles to our sheets. The second is that of its maps, which no page draws.
  const STYLE_IDS = ["plotly.js-style-global", "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53"];

  function keepStylesOut() {
    for (const id of STYLE_IDS.filter((known) => !document.getElementById(known))) {
      document.head.append(Object.assign(document.createElement("meta"), { id, className: "no-inline-styles" }));
    }
  }

  function load() {
    loading ??= new Promise((resolve, reject) => {
      keepStylesOut();
      const script = document.createElement("script");
      script.src = url;
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => reject(new Error("plotly did not load"));
      document.head.append(script);
    });
    return loading;
  }

  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  // A computed custom property is still "light-dark(…)"; a probe element resolves it to a colour that plotly reads.
  function tokens() {
    const element = document.createElement("i");
    element.hidden = true;
    document.body.append(element);
    const known = new Map();
    const read = (name) => {
      if (!known.has(name)) {
        element.style.color = `var(--${name})`;
        probe.clearRect(0, 0, 1, 1);
        probe.fillStyle = getComputedStyle(element).color;
        probe.fillRect(0, 0, 1, 1);
        const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
        known.set(name, [r, g, b]);
      }
      return known.get(name);
    };
    const color = (name, opacity = 1) => `rgba(${read(name).join(",")},${opacity})`;
    return { color, done: () => element.remove() };
  }

  function paint(figure, color, font) {
    const style = getComputedStyle(document.documentElement);
    const rootSize = parseFloat(style.fontSize);
    const axis = { gridcolor: color("rule"), linecolor: color("rule-strong"), zerolinecolor: color("rule-strong"), tickcolor: color("rule-strong"), color: color("ink-2"), automargin: true };
    const layout = {
      ...figure.layout,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: font, size: 0.75 * rootSize, color: color("ink-2") },
      hoverlabel: { bgcolor: color("surface"), bordercolor: color("rule-strong"), font: { family: font, size: 0.75 * rootSize, color: color("ink") }, align: "left" },
      autosize: true,
      height: undefined,
    };
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) layout[name] = { ...axis, ...layout[name] };
    for (const shape of layout.shapes ?? []) {
      shape.x0 = here(shape.x0);
      shape.x1 = here(shape.x1);
      const token = shape.name ?? "ink-3";
      shape.line = { width: 1, dash: "dash", ...shape.line, color: color(token) };
      if (shape.type === "rect") shape.fillcolor = color(token, 0.08);
    }
    for (const note of layout.annotations ?? []) note.x = here(note.x);
    for (const note of layout.annotations ?? []) note.font = { size: 0.6875 * rootSize, color: color(note.name ?? "ink-2") };
    const data = figure.data.map((trace) => paintTrace(trace, color));
    return { data, layout };
  }

  // Moments come as UTC, and plotly draws a date as it is written: written in the reader's zone, they are theirs.
  const MOMENT = /^\d{4}-\d\d-\d\dT.*\+00:00$/;

  function here(moment) {
    if (typeof moment !== "string" || !MOMENT.test(moment)) return moment;
    const at = new Date(moment);
    return new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
  }

  function paintTrace(trace, color) {
    const token = trace.meta?.color;
    if (!token) return trace;
    const many = Array.isArray(token);
    const solid = many ? token.map((name) => color(name)) : color(token);
    const painted = { ...trace, x: trace.x.map(here) };
    if (trace.type === "bar") painted.marker = { ...trace.marker, color: solid, line: { width: 1, color: color("surface") } };
    else {
      painted.marker = { ...trace.marker, color: solid };
      if (!many) painted.line = { ...trace.line, color: solid };
      if (!many && trace.fill) painted.fillcolor = color(token, trace.meta.opacity ?? 0.75);
    }
    return painted;
  }

  async function draw(chart) {
    const source = chart.querySelector(".chart-data");
    const space = chart.querySelector(".chart-space");
    if (!source || !space) return;
    const hint = space.querySelector(".hint");
    let Plotly;
    try {
      Plotly = await load();
    } catch {
      if (hint) hint.textContent = "The chart could not be drawn. Its data is below.";
      return;
    }
    if (!chart.isConnected) return;
    const { color, done } = tokens();
    const { data, layout } = paint(JSON.parse(source.textContent), color, getComputedStyle(document.body).fontFamily);
    done();
    hint?.remove();
    await Plotly.react(space, data, layout, { displayModeBar: false, responsive: true, showTips: false, doubleClick: false, scrollZoom: false });
    if (chart.dataset.drawn) return;
    chart.dataset.drawn = "yes";
    listen(chart, space);
  }

  // Over a stack plotly names every bar at that place of the axis, in any order; meant is the one under the pointer.
  function pointUnder({ points = [], event }, space) {
    const axis = points[0]?.yaxis;
    if (points.length < 2 || points[0].data.type !== "bar" || axis?._offset === undefined || !event) return points[0];
    const value = axis.p2d(event.clientY - space.getBoundingClientRect().top - axis._offset);
    const ends = { up: 0, down: 0 };
    return [...points].sort((one, other) => one.curveNumber - other.curveNumber).find(({ y }) => {
      const way = y < 0 ? "down" : "up";
      const from = ends[way];
      ends[way] += Number(y) || 0;
      return value >= Math.min(from, ends[way]) && value < Math.max(from, ends[way]);
    }) ?? points[0];
  }

  function listen(chart, space) {
    const linkOf = (event) => [pointUnder(event, space)?.customdata].flat().find((value) => typeof value === "string" && /^[?/]/.test(value));
    space.on("plotly_hover", (event) => space.classList.toggle("is-over-link", Boolean(linkOf(event))));
    space.on("plotly_unhover", () => space.classList.remove("is-over-link"));
    space.on("plotly_click", (event) => { const link = linkOf(event); if (link) location.assign(link); });
    space.on("plotly_relayout", (event) => {
      const from = event["xaxis.range[0]"];
      const to = event["xaxis.range[1]"];
      if (from === undefined || to === undefined || chart.dataset.brush === undefined) return;
      const params = new URLSearchParams(location.search);
      for (const name of ["window", "page"]) params.delete(name);
      const today = new Date().toISOString().slice(0, 10);
      params.set("since", String(from).slice(0, 10));
      params.set("until", String(to).slice(0, 10) > today ? today : String(to).slice(0, 10));
      location.assign(`?${params}`);
    });
  }

  function drawAll(from = document) {
    for (const chart of from.querySelectorAll("[data-chart]")) draw(chart);
  }

  drawAll();
  document.addEventListener("htmx:afterSettle", (event) => drawAll(event.detail.elt ?? document));
  document.addEventListener("theme", () => drawAll());
})();
