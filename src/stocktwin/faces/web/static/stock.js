// The stock page: filters and order live in the address, rows come from REST.
import { itemLocationUrl, money, percent, quantity } from './format.js';
import { Grid } from './grid.js';

const html = document.documentElement;
const form = document.getElementById('filters'), el = document.getElementById('grid'), count = document.getElementById('count');
const FIELDS = ['search', 'location', 'category', 'filter'];
const DEFAULT = { key: 'stockout_risk', descending: true };
const risk = (r) => (r.stockout_risk === null ? '' : r.stockout_risk > 0.5 ? 'bad' : r.stockout_risk > 0.25 ? 'warn' : '');
const plain = (key, label, width) => ({ key, label, width, write: (r) => r[key] ?? '–' });
const number = (key, label, width, write = quantity, tone) => ({ key, label, width, num: true, write: (r) => write(r[key]), tone });
const days = (value) => (value === null || value === undefined ? '–' : value > 999 ? 'over 999' : quantity(value));

const columns = [
  { ...plain('item_id', 'Item', 124), link: (r) => itemLocationUrl(r.item_id, r.location_id) },
  plain('location_id', 'Location', 116),
  { ...plain('description', 'Description', 190), grows: true },
  plain('category', 'Category', 112),
  { ...number('on_hand', 'On hand', 92, quantity, (r) => (r.on_hand !== null && Number(r.on_hand) <= 0 ? 'bad' : '')), write: (r) => (r.anchored === false ? 'unknown' : quantity(r.on_hand)) },
  number('stockout_risk', 'Stock-out risk', 138, (v) => percent(v), risk),
  number('days_of_supply', 'Days of supply', 140, days),
  number('forecast_per_day', 'Demand a day', 134),
  number('on_order', 'On order', 92),
  number('in_transit', 'In transit', 96),
  number('backlog', 'Backlog', 84, quantity, (r) => (Number(r.backlog) > 0 ? 'bad' : '')),
  number('reorder_point', 'Reorder point', 136),
  number('order_up_to', 'Order up to', 110),
  number('safety_stock', 'Safety stock', 124),
  number('value', 'Value', 100, money),
];

const asked = new URLSearchParams(location.search);
for (const name of FIELDS) {
  const field = form.elements[name], value = asked.get(name) ?? '';
  field.value = value;
  if (value && field.value !== value) { field.add(new Option(value, value)); field.value = value; }
}
const sortable = el.dataset.sortable.split(' ');
const known = (key) => sortable.includes(key);
let sort = known(asked.get('sort')) ? { key: asked.get('sort'), descending: asked.get('descending') === 'true' } : known(DEFAULT.key) ? DEFAULT : { key: sortable[0], descending: false };

const filters = () => Object.fromEntries(FIELDS.map((name) => [name, form.elements[name].value.trim()]).filter(([, value]) => value));
function remember() {
  const state = new URLSearchParams(filters());
  if (sort.key !== DEFAULT.key || sort.descending !== DEFAULT.descending) { state.set('sort', sort.key); state.set('descending', sort.descending); }
  const text = state.toString();
  history.replaceState(null, '', text ? `?${text}` : location.pathname);
}

async function page(from, limit) {
  const query = new URLSearchParams({ ...from, limit, sort: sort.key, descending: sort.descending, ...filters() });
  const response = await fetch(`${html.dataset.root}api/v1/item-locations?${query}`);
  const answer = await response.json();
  if (!response.ok) { count.textContent = answer.detail; return { total: 0, offset: from.offset ?? 0, rows: [] }; }
  return answer;
}

const grid = new Grid(el, {
  columns, page, sort, sortable,
  onSort: (chosen) => { sort = chosen; remember(); },
  onOpen: (row) => { location.href = itemLocationUrl(row.item_id, row.location_id); },
  onTotal: (total) => { count.textContent = `${quantity(total)} item-locations`; },
});

let waiting;
const changed = () => { clearTimeout(waiting); waiting = setTimeout(() => { remember(); grid.reset(); }, 180); };
form.addEventListener('input', changed);
form.addEventListener('reset', () => setTimeout(changed));
form.addEventListener('submit', (event) => event.preventDefault());
document.addEventListener('twin:refreshed', () => grid.refresh());
grid.reset();
