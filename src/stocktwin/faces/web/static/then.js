// Two handles, happened and known: the table and the curve follow them, and so does the address, so that it can be shared.
import { axis, color, draw, legend, tip, tooltip } from './charts.js';
import { quantity } from './format.js';

const html = document.documentElement, root = html.dataset.root, form = document.getElementById('choose');
const DAY = 86_400_000, HOUR = 3_600_000;
if (form) start();

function start() {
  const span = JSON.parse(form.dataset.span), fields = form.elements;
  const choice = fields.namedItem('item'), site = fields.namedItem('location'); // `item` is a method of the collection
  const first = Date.parse(span.first_event), last = Math.max(Date.parse(span.last_event), Date.parse(span.last_learned));
  const step = last - first > 8 * DAY ? DAY : HOUR, steps = Math.max(1, Math.ceil((last - first) / step));
  const local = new Intl.DateTimeFormat('en-CA', { timeZone: html.dataset.timezone, year: 'numeric', month: '2-digit', day: '2-digit' });
  const text = (k) => (k >= steps ? '' : step === DAY ? local.format(first + k * DAY) : new Date(first + k * HOUR).toISOString().replace('.000', ''));
  const position = (words) => (words.trim() ? Math.max(0, Math.min(steps, Math.round((Date.parse(words.length === 10 ? `${words}T12:00:00Z` : words) - first) / step) || 0)) : steps);
  const moment = (words) => (words.trim() ? Date.parse(words.length === 10 ? `${words}T23:59:59Z` : words) : last);
  const handles = [[document.getElementById('at-slider'), fields.at], [document.getElementById('learned-slider'), fields.learned_by]];

  for (const [slider, field] of handles) {
    Object.assign(slider, { min: 0, max: steps, step: 1, value: position(field.value), hidden: false });
    const say = () => { slider.setAttribute('aria-valuetext', field.value || 'now'); };
    say();
    slider.addEventListener('input', () => {
      field.value = text(Number(slider.value));
      if (fields.tied.checked) for (const [other, shown] of handles) { other.value = slider.value; shown.value = field.value; }
      say();
      later();
    });
    field.addEventListener('change', () => { slider.value = position(field.value); say(); later(); });
  }
  fields.tied.addEventListener('change', () => { if (fields.tied.checked) { fields.learned_by.value = fields.at.value; handles[1][0].value = handles[0][0].value; } later(); });
  for (const name of ['changed', 'search']) fields[name].addEventListener('input', () => later());
  form.addEventListener('submit', (event) => { event.preventDefault(); later(0); });
  document.getElementById('then').addEventListener('click', (event) => {
    const picked = event.target.closest('[data-pick]');
    if (!picked || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    choice.value = picked.dataset.pick;
    site.value = picked.dataset.place;
    later(0);
  });

  const asked = () => new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  let timer = 0, asking = null, line = null, drawn = '', chart = null;
  function later(wait = 150) { clearTimeout(timer); timer = setTimeout(show, wait); }

  async function show() {
    asking?.abort();
    const mine = asking = new AbortController(), query = asked();
    history.replaceState(null, '', `${location.pathname}${String(query) ? `?${query}` : ''}`);
    try {
      const [table] = await Promise.all([fetch(`${root}then-rows?${query}`, { headers: { accept: 'text/html' }, signal: mine.signal }), curve(mine.signal)]);
      const markup = await table.text();
      if (!table.ok) throw new Error(new DOMParser().parseFromString(markup, 'text/html').querySelector('main p')?.textContent ?? `${table.status}`);
      if (mine.signal.aborted) return;
      document.getElementById('then').innerHTML = markup;
    } catch (error) {
      if (error.name === 'AbortError') return;
      document.getElementById('then').replaceChildren(Object.assign(document.createElement('p'), { className: 'problem', textContent: error.message }));
    }
  }

  async function curve(signal) {
    const card = document.getElementById('curve-card'), item = choice.value, place = site.value;
    card.hidden = !item;
    if (!item) return;
    const query = new URLSearchParams({ item });
    if (place) query.set('location', place);
    document.getElementById('curve-title').textContent = place ? `${item} at ${place}` : item;
    document.getElementById('facts-link').href = `${root}history?${query}`;
    if (fields.learned_by.value.trim()) query.set('learned_by', fields.learned_by.value.trim());
    if (String(query) !== drawn) {
      const response = await fetch(`${root}api/v1/curve?${query}`, { signal });
      if (!response.ok) return;
      line = await response.json();
      drawn = String(query);
    }
    if (chart) chart.update();
    else chart = draw(document.getElementById('curve'), option, { on: [] });
  }

  const words = (ms) => new Date(ms).toLocaleString('en-GB', { timeZone: html.dataset.timezone, day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' });
  function levelAt(points, ms) {
    let level = null;
    for (const [at, value] of points) { if (at > ms) break; level = value; }
    return level;
  }

  function option() {
    if (!line) return null;
    const at = moment(fields.at.value), known = moment(fields.learned_by.value);
    const until = (points, end) => (points.length ? [...points, [Math.max(end, points.at(-1)[0]), points.at(-1)[1]]] : []);
    const lines = [['As known then', until(line.then, Math.min(known, last)), 'acc', 2.2, 'solid'], ['As known now', until(line.now, last), 'mut', 1.4, [6, 3]]];
    const mark = (ms, name, tone, position) => ({ xAxis: ms, label: { formatter: name, position, color: color(tone), distance: 4 }, lineStyle: { color: color(tone), type: 'solid', width: 1.2 } });
    return {
      grid: { left: 56, right: 24, top: 44, bottom: 46 },
      legend: legend({ data: lines.map(([name]) => name) }),
      tooltip: tooltip({ trigger: 'axis', formatter: (ps) => tip(words(ps[0].axisValue), [['As known then', quantity(levelAt(line.then, ps[0].axisValue))], ['As known now', quantity(levelAt(line.now, ps[0].axisValue))]]) }),
      dataZoom: [{ type: 'inside', start: 0, end: 100, filterMode: 'none', zoomOnMouseWheel: 'ctrl' }, { type: 'slider', start: 0, end: 100, filterMode: 'none', height: 16, bottom: 4, borderColor: color('line'), fillerColor: 'rgba(120,150,180,.18)', handleStyle: { color: color('card'), borderColor: color('mut') }, showDetail: false, showDataShadow: false, brushSelect: false }],
      xAxis: axis({ type: 'time', min: first, max: last, splitLine: { show: false } }),
      yAxis: axis({ type: 'value', axisLine: { show: false }, axisLabel: { color: color('mut'), formatter: quantity } }),
      series: lines.map(([name, data, tone, width, type], k) => ({ type: 'line', name, data, step: 'end', symbol: 'none', z: 5 - k, itemStyle: { color: color(tone) }, lineStyle: { color: color(tone), width, type }, emphasis: { disabled: true },
        ...(k ? {} : { markLine: { symbol: 'none', silent: true, animation: false, data: [mark(at, 'happened by', 'warn', 'end'), ...(fields.learned_by.value.trim() ? [mark(known, 'known by', 'acc', 'insideEndTop')] : [])] } }) })),
    };
  }

  document.addEventListener('twin:refreshed', () => { drawn = ''; curve(); });
  curve();
}
