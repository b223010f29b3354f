// Choose scenarios, run them, look at the difference. What was run stands in the address: with its seed, it can be shared.
import { axis, color, draw, legend, read, tip, tooltip } from './charts.js';
import { day, percent, quantity } from './format.js';

const html = document.documentElement;
const form = document.getElementById('run'), result = document.getElementById('result'), button = form.querySelector('[type=submit]');
const cards = [...form.querySelectorAll('.scenario')];
const picked = () => cards.filter((card) => card.querySelector('[name=scenario]').checked);

function parameters(card) {
  const changed = [...card.querySelectorAll('[data-parameter]')].filter((f) => f.value !== f.dataset.default && f.value !== '');
  return Object.fromEntries(changed.map((f) => [f.dataset.parameter, f.dataset.kind === 'number' ? Number(f.value) : f.value]));
}
function wanted() {
  const scenarios = picked().map((card) => {
    const name = card.querySelector('[name=scenario]').value, set = parameters(card);
    return Object.keys(set).length ? { base: name, parameters: set } : name;
  });
  const field = (name) => form.elements[name].value;
  return { scenarios, replications: Number(field('replications')), horizon: field('horizon') ? Number(field('horizon')) : null, seed: Number(field('seed')) };
}
const ready = () => { button.disabled = !picked().length || !form.checkValidity(); };

function restore() {
  const asked = new URLSearchParams(location.search).get('run');
  if (!asked) return false;
  try {
    const run = JSON.parse(asked);
    for (const entry of run.scenarios) {
      const name = entry.base ?? entry, card = cards.find((c) => c.querySelector('[name=scenario]').value === name);
      if (!card) continue;
      card.querySelector('[name=scenario]').checked = true;
      for (const field of card.querySelectorAll('[data-parameter]')) field.value = entry.parameters?.[field.dataset.parameter] ?? field.value;
    }
    form.elements.replications.value = run.replications;
    form.elements.horizon.value = run.horizon ?? '';
    form.elements.seed.value = run.seed;
  } catch { return false; } // an address that somebody cut short
  return picked().length > 0;
}

function say(className, words) {
  const card = document.createElement('section');
  card.className = 'card';
  card.append(Object.assign(document.createElement('p'), { className, textContent: words }));
  result.replaceChildren(card);
}

async function run() {
  const body = wanted();
  history.replaceState(null, '', `?${new URLSearchParams({ run: JSON.stringify(body) })}`);
  button.disabled = true;
  result.setAttribute('aria-busy', 'true');
  say('waiting', `Simulating ${body.scenarios.length === 1 ? 'one scenario' : `${body.scenarios.length} scenarios`} beside the baseline …`);
  try {
    const response = await fetch(`${html.dataset.root}scenarios/result`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    if (!response.ok) throw new Error((await response.json()).detail);
    result.innerHTML = await response.text();
    curves();
    result.querySelector('h2').focus({ preventScroll: true });
    result.scrollIntoView({ block: 'start', behavior: 'smooth' });
  } catch (error) {
    say('problem', error.message);
  } finally {
    result.removeAttribute('aria-busy');
    ready();
  }
}

const TONES = ['mut', 'acc', 'warn', 'good', 'bad'];
function curves() {
  const el = document.getElementById('curves');
  if (!el) return;
  const { daily, names } = read('curves-data');
  const buttons = [...result.querySelectorAll('[data-curve]')];
  let shown = buttons[0]?.dataset.curve;
  const write = (v) => (shown === 'fill_rate' ? percent(v, 1) : quantity(v));
  const option = () => {
    const lines = [['Baseline', daily.baseline[shown]], ...daily.scenarios.map((s, k) => [names[k], s[shown]])];
    return {
      grid: { left: 60, right: 18, top: 34, bottom: 28 },
      legend: legend(),
      tooltip: tooltip({ trigger: 'axis', formatter: (ps) => tip(day(daily.days[ps[0].dataIndex]), ps.map((p) => [p.seriesName, write(p.value)])) }),
      xAxis: axis({ type: 'category', data: daily.days, boundaryGap: false, splitLine: { show: false }, axisLabel: { color: color('mut'), formatter: (d) => day(d).replace(/ \d{4}$/, '') } }),
      yAxis: axis({ type: 'value', scale: shown !== 'lost' && shown !== 'backlog', axisLine: { show: false }, ...(shown === 'fill_rate' ? { min: (v) => Math.max(0, Math.floor(v.min * 20 - 0.01) / 20), max: (v) => Math.min(1, Math.ceil(v.max * 20) / 20) } : {}), axisLabel: { color: color('mut'), formatter: (v) => (shown === 'fill_rate' ? percent(v) : quantity(v)) } }),
      series: lines.map(([name, data], k) => ({ type: 'line', name, data, symbol: 'none', itemStyle: { color: color(TONES[k % TONES.length]) }, lineStyle: { width: k ? 2 : 1.6, type: k ? 'solid' : [6, 3], color: color(TONES[k % TONES.length]) } })),
    };
  };
  const chart = draw(el, option, { on: [] });
  for (const b of buttons) {
    b.addEventListener('click', () => {
      shown = b.dataset.curve;
      buttons.forEach((other) => other.setAttribute('aria-pressed', String(other === b)));
      chart.update();
    });
  }
}

form.addEventListener('input', ready);
form.addEventListener('submit', (event) => { event.preventDefault(); run(); });
const shared = restore();
ready();
if (shared) run();
