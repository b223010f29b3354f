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
