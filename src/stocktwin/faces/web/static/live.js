// One event stream per browser, however many tabs: browsers allow six connections to a host, and a stream in each tab
// would leave the seventh without any. Web Locks elects a leader, BroadcastChannel passes its news on. Where there are no
// locks (plain http on a LAN) each tab that can be seen has its own.

export function listen(url, { version, state }) {
  const address = new URL(url, location.href).href;
  const channel = new BroadcastChannel(`stocktwin ${address}`);
  let relay = false;
  const tell = (message) => { act(message); if (relay) channel.postMessage(message); };
  const act = (message) => ('version' in message ? version(message.version) : state(message.on));
  channel.onmessage = (event) => {
    if (event.data.ask) { if (relay && last) channel.postMessage(last); } else act(event.data);
  };

  let source = null, last = null;
  const open = () => {
    source?.close();
    source = new EventSource(address);
    source.addEventListener('open', () => tell({ on: true }));
    source.addEventListener('error', () => {
      tell({ on: false });
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 3000); // a refused stream is not retried by itself
    });
    source.addEventListener('change', (event) => { last = JSON.parse(event.data); tell({ on: true }); tell(last); });
  };

  if (navigator.locks) {
    navigator.locks.request(`stocktwin ${address}`, () => { relay = true; open(); return new Promise(() => {}); });
    channel.postMessage({ ask: true });
  } else {
    open();
    document.addEventListener('visibilitychange', () => (document.hidden ? source.close() : open()));
  }
}
