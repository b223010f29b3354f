// On every page: the theme switch, fragments that are fetched after the page, and live updates.
import { listen } from './live.js';

const html = document.documentElement;
const root = html.dataset.root;
const announce = (name) => document.dispatchEvent(new CustomEvent(name));

document.getElementById('theme').addEventListener('click', () => {
  html.dataset.theme = html.dataset.theme === 'dark' ? 'light' : 'dark';
  try { localStorage.setItem('stocktwin-theme', html.dataset.theme); } catch { /* storage is off: until the next page */ }
  announce('twin:theme');
});

// ---- swapping: what differs is replaced; open details and the place of the focus survive

function swap(target, markup) {
  if (target.innerHTML === markup) return;
  const open = [...target.querySelectorAll('details[open][id]')].map((el) => el.id);
  const focused = target.contains(document.activeElement) ? document.activeElement.id : '';
  target.innerHTML = markup;
  for (const id of open) document.getElementById(id)?.setAttribute('open', '');
  if (focused) document.getElementById(focused)?.focus();
}

async function text(url, options) {
  const response = await fetch(url, { headers: { accept: 'text/html' }, ...options });
  if (!response.ok) throw new Error(`${response.status}`);
  return response.text();
}

const fetched = new WeakMap();
async function load(el) {
  const now = Date.now();
  if (el.dataset.loading || now - (fetched.get(el) ?? 0) < 1000 * (el.dataset.every ?? 0)) { el.dataset.due = '1'; return; }
  el.dataset.loading = '1';
  delete el.dataset.due;
  fetched.set(el, now);
  try {
    swap(el, (await text(el.dataset.src)).trim());
    announce('twin:loaded');
  } catch (error) {
    if (el.querySelector('.waiting')) {
      const line = document.createElement('p');
      line.className = 'problem';
      line.textContent = `This part could not be read (${error.message}). It is tried again with the next change.`;
      el.replaceChildren(line);
    }
  } finally {
    delete el.dataset.loading;
    el.removeAttribute('aria-busy');
    if (el.dataset.due) setTimeout(() => load(el), 1000 * (el.dataset.every ?? 1));
  }
}
document.addEventListener('twin:decided', () => { for (const el of document.querySelectorAll('[data-src]')) fetched.delete(el); refresh(); });
const loadAll = () => document.querySelectorAll('[data-src]').forEach(load);

// ---- live: a change of the twin makes the page ask for itself again

let refreshing = false, again = false;
export async function refresh() {
  if (refreshing) { again = true; return; }
  refreshing = true;
  try {
    const parts = document.querySelectorAll('[data-live]');
    if (parts.length) {
      const fresh = new DOMParser().parseFromString(await text(location.href.split('#')[0]), 'text/html');
      html.dataset.version = fresh.documentElement.dataset.version;
      for (const part of parts) {
        const match = fresh.getElementById(part.id);
        if (match) swap(part, match.innerHTML);
      }
    }
    announce('twin:refreshed');
    loadAll();
    show('on', `live, ${new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' })}`);
  } catch {
    show('off', 'not reachable');
  } finally {
    refreshing = false;
    if (again) { again = false; setTimeout(refresh, 250); }
  }
}

function show(state, words) {
  document.getElementById('live').dataset.state = state;
  document.getElementById('live-text').textContent = words;
}

listen(`${root}api/v1/live`, {
  state: (on) => show(on ? 'on' : 'off', on ? 'live' : 'reconnecting'),
  version: (version) => {
    if (String(version) === html.dataset.version) return;
    html.dataset.version = version;
    refresh();
  },
});
loadAll();
html.dataset.ready = '1';
