// The overview's map: locations, and lanes as wide as what travels on them.
import { color, draw, read, tip, tooltip } from './charts.js';
import { money, percent, quantity } from './format.js';
import { bestCut, bounds, miller, outlines, place } from './geography.js';

const html = document.documentElement;
const el = document.getElementById('map');
const SYMBOL = { supplier: 'circle', plant: 'circle', port: 'diamond' };
const located = (l) => l.latitude !== null && l.longitude !== null;
const point = (l) => [l.longitude, l.latitude];

let view = 'all', cut = -180, network = read('network');

function legs({ locations, lanes }) {
  const at = new Map(locations.filter(located).map((l) => [l.location_id, l]));
  const sums = new Map();
  for (const lane of lanes) {
    const stops = [lane.origin_id, ...(lane.via && at.has(lane.via) ? [lane.via] : []), lane.destination_id];
    for (let k = 0; k + 1 < stops.length; k++) {
      const [from, to] = [at.get(stops[k]), at.get(stops[k + 1])];
      if (!from || !to) continue;
      const key = JSON.stringify([stops[k], stops[k + 1]]), leg = sums.get(key) ?? { from, to, units: 0, lines: 0, modes: new Set() };
      leg.units += Number(lane.in_transit_units ?? 0);
      leg.lines += lane.open_lines ?? 0;
      if (lane.mode) leg.modes.add(lane.mode);
      sums.set(key, leg);
    }
  }
  return [...sums.values()];
}

const name = (l) => l.name || l.location_id;
const held = (l) => [['Stock value', money(l.on_hand_value)], ['Units', quantity(l.on_hand_units)], ['Out of stock', quantity(l.stockouts)], ['Out or at risk', l.short_share === null ? 'no demand here' : `${quantity(l.short)} of ${quantity(l.demanded)}, ${percent(l.short_share, 1)}`]];
const locationTip = (l) => tip(name(l), [['Kind', l.kind ?? ''], ...(l.item_locations ? held(l) : [])]);
const legTip = (g) => tip(`${name(g.from)} → ${name(g.to)}`, [['Mode', [...g.modes].join(', ') || '–'], ['In transit', quantity(g.units)], ['Open order lines', quantity(g.lines)]]);

// Labels cover neither places nor one another: each takes the first free side of its place, what keeps stock before the
// rest. One that finds no room stays away until the map is zoomed in; its place still tells its name when pointed at.
const SIDES = [
  ['center', 'bottom', (s) => [s.x + s.width / 2, s.y - 4]], ['center', 'top', (s) => [s.x + s.width / 2, s.y + s.height + 4]],
  ['left', 'middle', (s) => [s.x + s.width + 5, s.y + s.height / 2]], ['right', 'middle', (s) => [s.x - 5, s.y + s.height / 2]],
];
const START = { left: 0, top: 0, center: 0.5, middle: 0.5, right: 1, bottom: 1 };
let taken = [];
function besides({ dataIndex, rect, labelRect: { width, height } }) {
  if (dataIndex === 0) taken = network.locations.filter(located).map(symbolBox);
  for (const [align, verticalAlign, at] of SIDES) {
    const [x, y] = at(rect), box = { x: x - width * START[align], y: y - height * START[verticalAlign], width, height };
    const inside = box.x >= 0 && box.y >= 0 && box.x + width <= el.clientWidth && box.y + height <= el.clientHeight;
    if (inside && !taken.some((t) => overlap(t, box))) {
      taken.push(box);
      return { x, y, align, verticalAlign };
    }
  }
  return { x: -1e4, y: -1e4 };
}
function symbolBox(l) {
  const [x, y] = echarts.getInstanceByDom(el).convertToPixel('geo', place(point(l), cut)), size = symbolSize(l);
  return { x: x - size / 2, y: y - size / 2, width: size, height: size };
}
const symbolSize = (l) => (l.item_locations ? 15 : l.kind === 'port' ? 10 : 11);
const overlap = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
const rank = (l) => (l.item_locations ? 0 : l.kind === 'port' ? 2 : 1);

// A warehouse by the share of what is asked for there that is out of stock or at risk; the legend tells the thresholds.
function tone(l) {
  if (!l.item_locations) return l.kind === 'supplier' ? 'good' : l.kind === 'port' ? 'mut' : 'acc';
  const { watch, short } = network.thresholds;
  return l.short_share >= short ? 'bad' : l.short_share >= watch ? 'warn' : 'acc';
}

function nodes(locations) {
  return locations.filter(located).sort((a, b) => rank(a) - rank(b)).map((l) => ({
    name: name(l), value: place(point(l), cut), tip: () => locationTip(l), id: l.item_locations ? l.location_id : null,
    symbol: SYMBOL[l.kind] ?? 'roundRect', symbolSize: symbolSize(l),
    itemStyle: { color: color(tone(l)), borderColor: color('card'), borderWidth: 1.5 },
    label: { show: true, formatter: '{b}', fontSize: l.item_locations ? 12 : 11, fontWeight: l.item_locations ? 600 : 400, color: color(l.item_locations ? 'ink' : 'mut'), textBorderColor: color('land'), textBorderWidth: 3 },
  }));
}

function option() {
  const { locations } = network;
  const shown = locations.filter(located).filter((l) => view === 'all' || l.item_locations);
  const box = bounds(shown.map(point), cut);
  const most = Math.max(1, ...legs(network).map((g) => g.units));
  return {
    tooltip: tooltip({ trigger: 'item', formatter: (p) => p.data?.tip?.() ?? '' }),
    geo: {
      map: `network ${cut}`, projection: miller, roam: true, scaleLimit: { min: 0.8, max: 12 }, silent: true,
      left: 0, right: 0, top: 0, bottom: 0, preserveAspect: 'contain', ...(shown.length ? { boundingCoords: box } : {}),
      itemStyle: { areaColor: color('land'), borderColor: color('edge'), borderWidth: 0.6 },
    },
    series: [
      {
        type: 'lines', coordinateSystem: 'geo', zlevel: 1, tooltip: { show: true },
        data: legs(network).map((g) => ({
          coords: [place(point(g.from), cut), place(point(g.to), cut)], tip: () => legTip(g),
          lineStyle: { color: color('acc'), width: 1 + (4 * Math.sqrt(g.units)) / Math.sqrt(most), opacity: g.units ? 0.55 : 0.25, curveness: 0.16 },
        })),
      },
      { type: 'scatter', coordinateSystem: 'geo', zlevel: 2, labelLayout: besides, data: nodes(locations) },
    ],
  };
}

async function start() {
  const points = network.locations.filter(located).map(point);
  cut = bestCut(points.map((p) => p[0]), legs(network).map((g) => [g.from.longitude, g.to.longitude]));
  echarts.registerMap(`network ${cut}`, await outlines(html.dataset.assets, points, cut));
  const chart = draw(el, option, { on: [] });
  chart.on('click', (p) => { if (p.data?.id) location.href = `${html.dataset.root}stock?location=${encodeURIComponent(p.data.id)}`; });
  document.addEventListener('twin:refreshed', () => {
    const fresh = read('network');
    if (JSON.stringify(fresh) !== JSON.stringify(network)) { network = fresh; chart.update(); }
  });
  for (const button of document.querySelectorAll('[data-view]')) {
    button.addEventListener('click', () => {
      view = button.dataset.view;
      document.querySelectorAll('[data-view]').forEach((b) => b.setAttribute('aria-pressed', String(b === button)));
      chart.update();
    });
  }
}
if (el) start();
