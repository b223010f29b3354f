// Numbers as the server writes them (faces/web/wording.py).
const html = document.documentElement;
const DASH = '–';
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const SYMBOLS = { USD: '$', EUR: '€', GBP: '£', JPY: '¥', CNY: 'CN¥', INR: '₹', CHF: 'CHF ' };

export function quantity(value) {
  if (value === null || value === undefined) return DASH;
  if (typeof value === 'string') {
    const [units, parts] = value.split('.');
    return whole.format(BigInt(units)).replace('-', '−') + (parts ? `.${parts}` : '');
  }
  const size = Math.abs(value), digits = Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace('-', '−');
}
export const money = (value) => (value === null || value === undefined ? DASH
  : `${value < 0 ? '−' : ''}${SYMBOLS[html.dataset.currency] ?? `${html.dataset.currency} `}${quantity(Math.abs(value))}`);
export const percent = (value, digits = 0) => {
  if (value === null || value === undefined) return DASH;
  if (value > 0 && value < 0.5 * 10 ** (-2 - digits)) return `<${(10 ** -digits).toFixed(digits)} %`;
  return `${(value * 100).toFixed(digits)} %`;
};
export const day = (text) => new Date(`${text}T00:00:00Z`).toLocaleDateString('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short', year: 'numeric' });

const NOT_IN_A_PATH = ['.', '..'];
export function itemLocationUrl(item, location) {
  const root = html.dataset.root;
  if (NOT_IN_A_PATH.includes(item) || NOT_IN_A_PATH.includes(location)) return `${root}stock/at?${new URLSearchParams({ item, location })}`;
  return `${root}stock/${encodeURIComponent(item)}/${encodeURIComponent(location)}`;
}
