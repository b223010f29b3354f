// On hand: the past as a line, the future as bands; demand and the chance of a stock-out below.
import { axis, color, draw, legend, read, tip, tooltip } from './charts.js';
import { day, percent, quantity } from './format.js';

const el = document.getElementById('projection');
const PAST_SHOWN = 90;
const later = (first, k) => new Date(Date.parse(`${first}T00:00:00Z`) + k * 86_400_000).toISOString().slice(0, 10);

function columns() {
  const { history, projection, reorder_point, unit } = read('projection-data');
  const past = history?.on_hand ?? [], demand = history?.demand ?? [], ahead = projection?.days ?? [];
  const length = Math.max(past.length, demand.length);
  const days = [...Array.from({ length }, (_, k) => later(history.first_day, k)), ...ahead];
  const last = past.length ? past[past.length - 1] : null; // the future starts from what is there today
  const after = (values, today = last) => [...Array(Math.max(0, length - 1)).fill(null), ...(length ? [today] : []), ...(values ?? [])];
  return { days, length, past, demand, ahead, projection: projection ?? {}, after, reorder: reorder_point, unit };
}

function band(c, low, high, name, opacity) {
  const lo = c.after(c.projection[low]), width = c.after((c.projection[high] ?? []).map((v, k) => v - c.projection[low][k]), 0);
  const hidden = { type: 'line', stack: name, stackStrategy: 'all', symbol: 'none', silent: true, lineStyle: { opacity: 0 }, tooltip: { show: false } };
  return [
    { ...hidden, name: `${name} low`, data: lo },
    { ...hidden, name, data: width, itemStyle: { color: color('band'), opacity: opacity * 2 }, areaStyle: { color: color('band'), opacity } },
  ];
}

function describe(c, k) {
  const f = k - c.length, p = c.projection;
  if (f < 0) return tip(day(c.days[k]), [['On hand', quantity(c.past[k])], ['Demand', quantity(c.demand[k])]]);
  return tip(day(c.days[k]), [
    ['Median', quantity(p.p50[f])], ['50 % between', `${quantity(p.p25[f])} and ${quantity(p.p75[f])}`], ['90 % between', `${quantity(p.p05[f])} and ${quantity(p.p95[f])}`],
    ['Stock-out', percent(p.stockout_probability[f])], ...(p.expected_receipts?.[f] ? [['Expected receipts', quantity(p.expected_receipts[f])]] : []),
  ]);
}

function option() {
  const c = columns(), numeric = (v) => (v === null || v === undefined ? null : Number(v));
  const start = c.days.length ? (100 * Math.max(0, c.length - PAST_SHOWN)) / c.days.length : 0;
  const today = c.length && c.ahead.length ? [{ xAxis: c.days[c.length - 1], label: { formatter: 'today', position: 'end', distance: 4 }, lineStyle: { color: color('mut'), type: 'solid', width: 1, opacity: 0.6 } }] : [];
  const reorder = numeric(c.reorder) === null ? [] : [{ yAxis: numeric(c.reorder), label: { formatter: 'reorder point', position: 'insideStartTop' }, lineStyle: { color: color('warn'), type: 'dashed' } }];
  const x = (more) => axis({ type: 'category', data: c.days, boundaryGap: true, splitLine: { show: false }, ...more });
  return {
    grid: [{ left: 52, right: 46, top: 34, height: '56%' }, { left: 52, right: 46, top: '74%', bottom: 46 }],
    legend: legend({ data: ['On hand', 'Median', { name: '50 %', icon: 'roundRect' }, { name: '90 %', icon: 'roundRect' }, 'Demand', 'Stock-out chance'] }),
    tooltip: tooltip({ trigger: 'axis', axisPointer: { type: 'line', lineStyle: { color: color('mut') } }, formatter: (ps) => describe(c, ps[0].dataIndex) }),
    axisPointer: { link: [{ xAxisIndex: 'all' }] },
    dataZoom: [{ type: 'inside', xAxisIndex: [0, 1], start, end: 100, zoomOnMouseWheel: 'ctrl' }, { type: 'slider', xAxisIndex: [0, 1], start, end: 100, height: 16, bottom: 4, borderColor: color('line'), fillerColor: 'rgba(120,150,180,.18)', handleStyle: { color: color('card'), borderColor: color('mut') }, dataBackground: { lineStyle: { color: color('edge') }, areaStyle: { color: color('edge') } }, selectedDataBackground: { lineStyle: { color: color('mut') }, areaStyle: { color: color('edge') } }, textStyle: { color: color('mut') }, showDetail: false, showDataShadow: false, brushSelect: false }],
    xAxis: [x({ gridIndex: 0, axisLabel: { show: false } }), x({ gridIndex: 1, axisLabel: { color: color('mut'), fontSize: 11.5, formatter: (d) => day(d).replace(/ \d{4}$/, '') } })],
    yAxis: [
      axis({ type: 'value', gridIndex: 0, name: c.unit, axisLine: { show: false }, axisLabel: { color: color('mut'), formatter: quantity } }),
      axis({ type: 'value', gridIndex: 1, axisLine: { show: false }, splitNumber: 2, axisLabel: { color: color('mut'), formatter: quantity } }),
      axis({ type: 'value', gridIndex: 1, max: 1, min: 0, splitNumber: 2, axisLine: { show: false }, splitLine: { show: false }, axisLabel: { color: color('mut'), formatter: (v) => percent(v) } }),
    ],
    series: [
      ...band(c, 'p05', 'p95', '90 %', 0.16),
      ...band(c, 'p25', 'p75', '50 %', 0.26),
      { type: 'line', name: 'Median', data: c.after(c.projection.p50), symbol: 'none', itemStyle: { color: color('band') }, lineStyle: { color: color('band'), width: 2, type: [6, 3] } },
      { type: 'line', name: 'On hand', data: c.past.map(numeric), symbol: 'none', step: 'end', itemStyle: { color: color('ink') }, lineStyle: { color: color('ink'), width: 1.6 }, markLine: { symbol: 'none', silent: true, animation: false, label: { color: color('mut'), fontSize: 11 }, data: [...reorder, ...today] } },
      { type: 'bar', name: 'Demand', xAxisIndex: 1, yAxisIndex: 1, data: c.demand.map(numeric), itemStyle: { color: color('bar') }, barCategoryGap: '20%' },
      { type: 'line', name: 'Stock-out chance', xAxisIndex: 1, yAxisIndex: 2, data: c.after(c.projection.stockout_probability, null), symbol: 'none', itemStyle: { color: color('bad') }, lineStyle: { color: color('bad'), width: 1.5 }, areaStyle: { color: color('bad'), opacity: 0.14 } },
    ],
  };
}

if (el) draw(el, option);
