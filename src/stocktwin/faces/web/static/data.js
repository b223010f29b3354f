// Verify on demand: replaying the log takes a while.
const html = document.documentElement;
const button = document.getElementById('verify'), laws = document.getElementById('laws');

button.addEventListener('click', async () => {
  button.disabled = true;
  laws.replaceChildren(Object.assign(document.createElement('p'), { className: 'waiting', textContent: 'Replaying the log …' }));
  try {
    const response = await fetch(`${html.dataset.root}fragments/laws`, { headers: { accept: 'text/html' } });
    if (!response.ok) throw new Error(`verify could not run (${response.status})`);
    laws.innerHTML = await response.text();
  } catch (error) {
    laws.replaceChildren(Object.assign(document.createElement('p'), { className: 'problem', textContent: error.message }));
  } finally {
    button.disabled = false;
  }
});

// Discard a quarantined row: a name and a reason, then the decision is on the record.
const dialog = document.getElementById('discard'), form = dialog.querySelector('form'), problem = document.getElementById('discard-problem');
let pending = null;

document.getElementById('quarantine').addEventListener('click', (event) => {
  const asked = event.target.closest('[data-discard]');
  if (!asked) return;
  pending = Number(asked.dataset.discard);
  document.getElementById('discard-what').textContent = asked.dataset.what;
  problem.textContent = '';
  form.elements.reason.value = '';
  try { form.elements.by.value ||= localStorage.getItem('stocktwin-name') ?? ''; } catch { /* storage is off */ }
  dialog.showModal();
});
dialog.querySelector('[data-cancel]').addEventListener('click', () => dialog.close());

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const submit = form.querySelector('[type=submit]'), by = form.elements.by.value.trim(), reason = form.elements.reason.value.trim();
  submit.disabled = true;
  try {
    const response = await fetch(`${html.dataset.root}api/v1/quarantine/discard`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ ids: [pending], by, reason }) });
    if (!response.ok) throw new Error((await response.json()).detail);
    try { localStorage.setItem('stocktwin-name', by); } catch { /* storage is off */ }
    dialog.close();
    document.dispatchEvent(new CustomEvent('twin:decided'));
  } catch (error) {
    problem.textContent = error.message;
  } finally {
    submit.disabled = false;
  }
});
