// Approve or reject: a name and a reason, then the decision is on the record.
const html = document.documentElement;
const dialog = document.getElementById('decide'), form = dialog.querySelector('form'), problem = document.getElementById('decide-problem');
const submit = form.querySelector('[type=submit]');
let pending = null;

document.getElementById('recommendations').addEventListener('click', (event) => {
  const button = event.target.closest('[data-decide]');
  if (!button) return;
  const card = button.closest('[data-id]');
  pending = { id: card.dataset.id, decision: button.dataset.decide };
  const words = pending.decision === 'approve' ? 'Approve' : 'Reject';
  document.getElementById('decide-title').textContent = words;
  document.getElementById('decide-what').textContent = card.querySelector('h2').textContent;
  submit.textContent = words;
  problem.textContent = '';
  form.elements.reason.value = '';
  form.elements.reason.required = pending.decision === 'reject';
  try { form.elements.by.value ||= localStorage.getItem('stocktwin-name') ?? ''; } catch { /* storage is off */ }
  dialog.showModal();
});
dialog.querySelector('[data-cancel]').addEventListener('click', () => dialog.close());

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const by = form.elements.by.value.trim(), reason = form.elements.reason.value.trim();
  submit.disabled = true;
  try {
    const address = `${html.dataset.root}api/v1/recommendations/${encodeURIComponent(pending.id)}/${pending.decision}`;
    const response = await fetch(address, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ by, reason }) });
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

// A link to one recommendation finds it once the list has come.
let followed = false;
document.addEventListener('twin:loaded', () => {
  if (followed || !location.hash) return;
  followed = true;
  const card = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  card?.scrollIntoView({ block: 'center' });
  card?.querySelector('details')?.setAttribute('open', '');
});
