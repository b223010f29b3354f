// The health page: proving the laws runs on the server; the page asks how far it is. Backups are made on demand.
import { refresh } from './main.js';

const root = document.documentElement.dataset.root, button = document.getElementById('verify'), laws = document.getElementById('laws');
const post = (path) => fetch(`${root}api/v1/${path}`, { method: 'POST', headers: { 'content-type': 'application/json' } });
const say = (el, words) => el.replaceChildren(Object.assign(document.createElement('p'), { className: 'problem', textContent: words }));

async function follow() {
  button.disabled = true;
  for (;;) {
    await new Promise((done) => setTimeout(done, 1000));
    const response = await fetch(`${root}api/v1/ledger`).catch(() => null);
    if (!response?.ok) continue;
    const { running } = (await response.json()).verification;
    if (!running) break;
    const words = Object.assign(document.createElement('p'), { className: 'note', textContent: `Replaying the journal: ${(running.law ?? 'starting').replaceAll('_', ' ')} (${running.done + 1} of ${running.laws || '…'})` });
    laws.replaceChildren(words, Object.assign(document.createElement('progress'), { max: running.laws || 1, value: running.done, ariaLabel: 'Laws proved' }));
  }
  button.disabled = false;
  await refresh();
}

button.addEventListener('click', async () => {
  const response = await post('verify').catch(() => null);
  if (response?.ok) follow();
  else say(laws, 'The proof could not be started.');
});
if (laws.dataset.running) follow();

const save = document.getElementById('backup'), problem = document.getElementById('backup-problem');
save.addEventListener('click', async () => {
  save.disabled = true;
  problem.textContent = '';
  try {
    const response = await post('backups');
    if (!response.ok) throw new Error((await response.json()).detail);
    await refresh();
  } catch (error) {
    problem.textContent = error.message;
  } finally {
    save.disabled = false;
  }
});
