// Runs before the first paint, so that a dark page never flashes white.
(function () {
  let chosen = null;
  try { chosen = localStorage.getItem('stocktwin-theme'); } catch { /* storage is off: follow the system */ }
  const dark = chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
})();
