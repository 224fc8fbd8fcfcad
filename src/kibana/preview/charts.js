// Draws every chart of the page from the JSON beside its canvas. Colours of ink and grid follow the page's scheme.
"use strict";
(() => {
  const count = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const steps = {
    bytes: [[2 ** 30, " GB"], [2 ** 20, " MB"], [2 ** 10, " KB"], [1, " B"]],
    duration: [[864e5, " d"], [36e5, " h"], [6e4, " min"], [1e3, " s"], [1, " ms"]],
  };
  const written = (unit, value) => {
    if (unit === "percent") return `${count.format(value)}%`;
    if (unit === "share") return `${count.format(value * 100)}%`;
    const [size, name] = (steps[unit] ?? []).find(([size]) => Math.abs(value) >= size) ?? [1, ""];
    return value === 0 ? "0" : count.format(value / size) + name;
  };
  const shorter = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}\u2026` : text);

  // Durations are marked at whole seconds, minutes, hours and days.
  const lengths = [1, 5, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 21600, 43200].map((length) => length * 1000);
  const stride = (given) => {
    if (given.unit !== "duration") return undefined;
    const most = Math.max(1, ...given.series.flatMap((one) => one.values.map((value) => value ?? 0)));
    return lengths.find((length) => most / length <= 5) ?? 864e5 * Math.ceil(most / 864e5 / 5);
  };

  // Numbers behind the ends of horizontal bars.
  const numbers = {
    id: "numbers",
    afterDatasetsDraw(chart, _, options) {
      if (!options.ink) return;
      const { ctx } = chart;
      ctx.save();
      ctx.font = "600 11px Inter, system-ui, sans-serif";
      ctx.fillStyle = options.ink;
      ctx.textBaseline = "middle";
      chart.getDatasetMeta(0).data.forEach((bar, at) => ctx.fillText(options.shown[at], bar.x + 6, bar.y));
      ctx.restore();
    },
  };

  const settings = (given, width) => {
    const style = getComputedStyle(document.documentElement);
    const [ink, soft, grid, panel] = ["--ink", "--soft", "--grid", "--panel"].map((name) => style.getPropertyValue(name).trim());
    const time = !given.horizontal;
    const names = {
      stacked: given.stacked,
      grid: { display: false },
      border: { color: grid },
      ticks: {
        color: soft, maxRotation: 0, autoSkip: time, autoSkipPadding: 24,
        callback(_, at) { return shorter(given.labels[at], given.horizontal ? Math.max(12, Math.floor(width / 18)) : 24); },
      },
    };
    const values = {
      stacked: given.stacked, beginAtZero: true, max: given.most ?? undefined,
      display: !given.written,
      grid: { color: grid },
      border: { display: false },
      ticks: { color: soft, maxTicksLimit: 7, stepSize: stride(given), precision: given.unit === "number" ? 0 : undefined, callback: (value) => written(given.unit, value) },
    };
    return {
      type: given.kind,
      data: {
        labels: given.labels.map((_, at) => at),
        datasets: given.series.map((one, at) => ({
          label: shorter(one.label, given.legend === "right" ? 22 : 40), data: one.values.map((value) => value ?? (given.filled ? 0 : null)),
          backgroundColor: given.filled ? `${one.color}99` : one.color, borderColor: one.color,
          borderWidth: given.kind === "line" ? 2 : 0, fill: given.filled && (at === 0 ? "origin" : "-1"), pointRadius: 0, pointHitRadius: 8, tension: 0,
          spanGaps: false, categoryPercentage: given.horizontal ? 0.82 : 0.92, barPercentage: 0.92, borderRadius: given.stacked ? 0 : 2,
          maxBarThickness: given.horizontal ? 26 : 60,
        })),
      },
      options: {
        animation: false, responsive: true, maintainAspectRatio: false, indexAxis: given.horizontal ? "y" : "x",
        layout: { padding: { right: given.written ? 12 + 7 * Math.max(...given.series[0].shown.map((shown) => shown.length)) : 0 } },
        interaction: { mode: "index", axis: given.horizontal ? "y" : "x", intersect: false },
        scales: given.horizontal ? { x: values, y: names } : { x: names, y: values },
        plugins: {
          legend: {
            display: given.legend !== null, position: given.legend ?? "bottom", align: "start",
            labels: { color: ink, boxWidth: 10, boxHeight: 10, padding: 10, font: { size: 12 } },
          },
          tooltip: {
            backgroundColor: ink, titleColor: panel, bodyColor: panel,
            callbacks: {
              title: ([first]) => given.titles[first?.dataIndex] ?? "",
              label: (item) => ` ${given.series[item.datasetIndex].label}: ${given.series[item.datasetIndex].shown[item.dataIndex] || 0}`,
            },
          },
          numbers: given.written ? { ink, shown: given.series[0].shown } : {},
        },
      },
      plugins: [numbers],
    };
  };

  Chart.defaults.font.family = 'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
  let drawn = [];
  const draw = () => {
    drawn.forEach((chart) => chart.destroy());
    drawn = [...document.querySelectorAll(".chart canvas")].map((canvas) => {
      const given = JSON.parse(canvas.closest(".chart").querySelector("script").textContent);
      return new Chart(canvas, settings(given, canvas.parentElement.clientWidth));
    });
  };
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
