// Truth, record and books as steps; below how far each is off; at the bottom what went wrong, what was found, what was counted.
import { axis, color, draw, legend, read, tip, tooltip } from './charts.js';
import { quantity } from './format.js';

const el = document.getElementById('truth');
const DAY = 86_400_000, SHOWN_DAYS = 120, LANES = ['Counts', 'Found', 'Faults'];
const LABELS = { truth: 'Truth', record: 'Record' };
const label = (name) => LABELS[name] ?? `Book of ${name}`;
const words = (name) => (name ? name.replaceAll('_', ' ').replace(/^./, (c) => c.toUpperCase()) : '–');
const moment = (ms) => new Date(ms).toLocaleString('en-GB', { timeZone: document.documentElement.dataset.timezone, day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' });
const signed = (value) => (value > 0 ? `+${quantity(value)}` : quantity(value));

function levelAt(points, ms) {
  let low = 0, high = points.length;
  while (low < high) { const mid = (low + high) >> 1; if (points[mid][0] <= ms) low = mid + 1; else high = mid; }
  return low ? points[low - 1][1] : null;
}

// told − true at every moment at which either changes
function error(told, truth) {
  const times = [...new Set([...told, ...truth].map((p) => p[0]))].sort((a, b) => a - b), out = [];
  for (const ms of times) {
    const a = levelAt(told, ms), b = levelAt(truth, ms);
    const off = a === null || b === null ? null : Math.round((a - b) * 1e6) / 1e6;
    if (!out.length || out[out.length - 1][1] !== off) out.push([ms, off]);
  }
  return out;
}

function look() { // each system its colour and dash, so that lines are told apart without colour too
  const kinds = [{ c: 'acc', dash: [7, 4] }, { c: 'warn', dash: [2, 3] }, { c: 'mut', dash: [1, 2] }, { c: 'bad', dash: [9, 3, 2, 3] }];
  let at = 0;
  return (name) => {
    if (name === 'truth') return { color: color('good'), width: 2.6, type: 'solid' };
    if (name === 'record') return { color: color('ink'), width: 1.5, type: 'solid' };
    const kind = kinds[at++ % kinds.length];
    return { color: color(kind.c), width: 1.6, type: kind.dash };
  };
}

// Faults that overlap stand in rows above each other; each bar carries its cause where there is room.
function stacked(faults, first, last) {
  const rows = [];
  const placed = faults.map((fault) => {
    const from = Math.max(fault.from_ms, first), to = Math.max(from, Math.min(fault.to_ms ?? last, last));
    let row = rows.findIndex((until) => until < from);
    if (row < 0) row = rows.length;
    rows[row] = to + DAY;
    return { fault, from, to, row };
  });
  return { placed, rows: rows.length };
}

function drawBar({ placed, rows }) {
  return (params, api) => {
    const { fault, from, to, row } = placed[params.dataIndex], area = params.coordSys;
    const [x0, y] = api.coord([from, 'Faults']), [x1] = api.coord([to, 'Faults']), band = api.size([0, 1])[1] - 4;
    const height = Math.min(15, band / Math.max(1, rows)), top = y - (height * rows) / 2 + height * row;
    const left = Math.max(x0, area.x), right = Math.min(Math.max(x1, x0 + 4), area.x + area.width);
    if (right <= area.x || left >= area.x + area.width) return null;
    const name = words(fault.cause), room = right - left > 7 * name.length + 12 && height > 12;
    return { type: 'group', children: [
      { type: 'rect', shape: { x: left, y: top + 0.5, width: Math.max(4, right - left), height: height - 1, r: 3 }, style: { fill: color(fault.found ? 'warn' : 'bad'), opacity: 0.85 } },
      ...(room ? [{ type: 'text', silent: true, style: { x: left + 6, y: top + height / 2 + 0.5, text: name, fill: color('card'), fontSize: 11, fontWeight: 600, verticalAlign: 'middle' } }] : []),
    ] };
  };
}

function option() {
  const data = read('truth-data'), truth = data.series[0]?.points ?? [];
  const last = data.as_of ? Date.parse(data.as_of) : Math.max(...data.series.map((s) => s.points.at(-1)?.[0] ?? 0));
  const first = Math.min(...data.series.map((s) => s.points[0]?.[0] ?? last));
  const style = look(), looks = Object.fromEntries(data.series.map((s) => [s.name, style(s.name)]));
  const whole = (points) => (points.length ? [...points, [last, points.at(-1)[1]]] : []);
  const lines = [...data.series].reverse().map((s) => ({ // the truth is drawn last, over all others
    type: 'line', name: label(s.name), data: whole(s.points), step: 'end', symbol: 'none', z: s.name === 'truth' ? 5 : 3,
    lineStyle: looks[s.name], itemStyle: { color: looks[s.name].color }, emphasis: { disabled: true },
    ...(s.name === 'truth' ? { markArea: { silent: true, itemStyle: { color: color('bad'), opacity: 0.07 }, data: data.faults.map((f) => [{ xAxis: f.from_ms }, { xAxis: f.to_ms ?? last }]) } } : {}),
  }));
  const told = data.series.filter((s) => s.name !== 'truth');
  const errors = told.map((s) => ({ type: 'line', name: label(s.name), xAxisIndex: 1, yAxisIndex: 1, data: whole(error(s.points, truth)), step: 'end', symbol: 'none', lineStyle: looks[s.name], itemStyle: { color: looks[s.name].color }, emphasis: { disabled: true }, ...(s.name === 'record' ? { areaStyle: { color: color('bad'), opacity: 0.16, origin: 0 } } : {}) }));
  const offAt = (s, ms) => { const a = levelAt(s.points, ms), b = levelAt(truth, ms); return a === null || b === null ? null : a - b; };
  const describe = (ps) => {
    const ms = ps[0].axisValue;
    return tip(moment(ms), data.series.map((s) => {
      const off = s.name === 'truth' ? null : offAt(s, ms);
      return [label(s.name), quantity(levelAt(s.points, ms)) + (off ? ` (${signed(Math.round(off * 1000) / 1000)})` : '')];
    }));
  };
  const item = (title, rows) => ({ formatter: () => tip(title, rows), trigger: 'item' });
  const counts = data.claims.filter((c) => c.method === 'cycle_count').map((c) => ({ value: [c.at, 'Counts'], tooltip: item('Count', [['When', moment(c.at)], ['Seen', quantity(c.quantity)], ['True', quantity(levelAt(truth, c.at))], ['By', c.system]]) }));
  const sensed = data.claims.filter((c) => c.method === 'rfid' || c.method === 'weight').map((c) => [c.at, c.quantity]);
  const found = data.anomalies.map((a) => ({ value: [Date.parse(a.event_time), 'Found'], tooltip: item(words(a.kind), [['About', moment(Date.parse(a.event_time))], ['Correction', signed(Number(a.quantity))], ['Confidence', `${Math.round(a.confidence * 100)} %`]]) }));
  const bars = stacked(data.faults, first, last);
  const faults = bars.placed.map((b) => ({ value: [b.from, b.to], tooltip: item(words(b.fault.cause), [['From', moment(b.fault.from_ms)], ['Until', b.fault.to_ms ? moment(b.fault.to_ms) : 'still wrong'], ['Units', b.fault.units === null ? '–' : signed(b.fault.units)], ['The twin', b.fault.found ? 'found it' : b.fault.told_as ? words(b.fault.told_as) : 'said nothing']]) }));
  const dots = (name, symbol, tone, points) => ({ type: 'scatter', name, xAxisIndex: 2, yAxisIndex: 2, data: points, symbol, symbolSize: 11, itemStyle: { color: color(tone) } });
  const wrong = Math.min(...data.faults.map((f) => f.from_ms), last) - 14 * DAY; // where it went wrong is on the screen
  const start = last > first ? (100 * Math.max(0, Math.min(wrong, last - SHOWN_DAYS * DAY) - first)) / (last - first) : 0;
  const time = (gridIndex, more) => axis({ type: 'time', gridIndex, min: first, max: last, axisPointer: { show: gridIndex < 2, label: { show: false }, lineStyle: { color: color('mut') } }, splitLine: { show: false }, ...more });
  const side = { left: 64, right: 20, outerBoundsMode: 'none' };
  const most = (points) => points.reduce((high, p) => Math.max(high, p[1]), 0);
  const top = most(truth), wild = [...data.series].sort((a, b) => most(b.points) - most(a.points))[0];
  const cut = top > 0 && most(wild.points) > 3 * top; // a record ten times too high would leave the truth a flat line
  const low = Math.min(0, ...data.series.flatMap((s) => s.points.map((p) => p[1])));
  const beyond = { ...(cut ? { max: 1.5 * top } : {}), ...(top > 0 && low < -0.5 * top ? { min: -0.2 * top } : {}) };
  return {
    grid: [{ ...side, top: 34, height: 300 }, { ...side, top: 358, height: 96 }, { ...side, top: 474, height: 92 }],
    graphic: [{ type: 'text', left: 8, top: 342, style: { text: 'Off by', fill: color('mut'), fontSize: 11.5 } }, ...(cut ? [{ type: 'text', right: 22, top: 16, style: { text: `${label(wild.name)} up to ${quantity(most(wild.points))} ↑`, fill: color('bad'), fontSize: 11.5, fontWeight: 600 } }] : [])],
    legend: legend({ itemWidth: 22, data: data.series.map((s) => ({ name: label(s.name), icon: 'path://M0 0h22v3H0z', itemStyle: { color: looks[s.name].color } })).concat(sensed.length ? [{ name: 'Sensors', icon: 'circle' }] : []) }),
    tooltip: tooltip({ trigger: 'axis', formatter: describe }),
    axisPointer: { link: [{ xAxisIndex: [0, 1] }] },
    dataZoom: [{ type: 'inside', xAxisIndex: [0, 1, 2], start, end: 100, filterMode: 'none', zoomOnMouseWheel: 'ctrl' }, { type: 'slider', xAxisIndex: [0, 1, 2], start, end: 100, filterMode: 'none', height: 16, bottom: 4, borderColor: color('line'), fillerColor: 'rgba(120,150,180,.18)', handleStyle: { color: color('card'), borderColor: color('mut') }, showDetail: false, showDataShadow: false, brushSelect: false }],
    xAxis: [time(0, { axisLabel: { show: false } }), time(1, { axisLabel: { show: false } }), time(2, { axisLabel: { color: color('mut'), fontSize: 11.5, hideOverlap: true } })],
    yAxis: [
      axis({ type: 'value', gridIndex: 0, ...beyond, axisLine: { show: false }, axisLabel: { color: color('mut'), formatter: quantity, showMaxLabel: !cut, showMinLabel: low >= -0.5 * top } }),
      axis({ type: 'value', gridIndex: 1, splitNumber: 2, axisLine: { show: false }, axisLabel: { color: color('mut'), formatter: quantity } }),
      axis({ type: 'category', gridIndex: 2, data: LANES, axisLine: { show: false }, splitLine: { show: true, lineStyle: { color: color('line') } }, axisLabel: { color: color('mut'), fontSize: 11.5 } }),
    ],
    series: [
      ...lines, ...errors,
      { type: 'scatter', name: 'Sensors', data: sensed, symbol: 'circle', symbolSize: 5, clip: true, z: 4, itemStyle: { color: color('band'), opacity: 0.75 } },
      { type: 'custom', name: 'Faults', xAxisIndex: 2, yAxisIndex: 2, renderItem: drawBar(bars), data: faults, encode: { x: [0, 1] }, clip: true },
      dots('Found', 'triangle', 'warn', found), dots('Counts', 'diamond', 'acc', counts),
    ],
  };
}

if (el) draw(el, option);
