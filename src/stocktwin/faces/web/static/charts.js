// What all charts share: colours from the style sheet, tooltips as DOM (a strict content policy allows no style in
// markup, and ids from outside are never parsed as HTML), redrawing on a new theme, size or state of the twin.

export const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
export const read = (id) => JSON.parse(document.getElementById(id).textContent);
const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;

export function tip(title, lines) {
  const box = document.createElement('div');
  box.className = 'tip';
  box.append(Object.assign(document.createElement('b'), { textContent: title }));
  for (const [label, value] of lines) {
    const line = document.createElement('div');
    line.append(Object.assign(document.createElement('span'), { textContent: label }), Object.assign(document.createElement('em'), { textContent: value }));
    box.append(line);
  }
  return box;
}

export const tooltip = (more) => ({ backgroundColor: color('card'), borderColor: color('edge'), borderWidth: 1, padding: [8, 10], confine: true, textStyle: { color: color('ink') }, ...more });
export const axis = (more = {}) => ({ axisLine: { lineStyle: { color: color('edge') } }, axisTick: { show: false }, axisLabel: { color: color('mut'), fontSize: 11.5 }, splitLine: { lineStyle: { color: color('line') } }, nameTextStyle: { color: color('mut') }, ...more });
export const legend = (more = {}) => ({ type: 'scroll', top: 0, right: 0, left: 64, align: 'left', itemWidth: 16, itemHeight: 9, textStyle: { color: color('mut'), fontSize: 12 }, ...more });
const font = () => getComputedStyle(document.body).fontFamily;

// Draws `option()` into `el` and keeps it right; returns the chart.
export function draw(el, option, { on = ['twin:refreshed'] } = {}) {
  const chart = echarts.init(el, null, { renderer: 'canvas' });
  const update = () => {
    const made = option();
    if (made) chart.setOption({ animation: !calm, animationDuration: 250, textStyle: { fontFamily: font() }, ...made }, true);
    el.dataset.drawn = String(Number(el.dataset.drawn ?? 0) + 1);
  };
  for (const name of ['twin:theme', ...on]) document.addEventListener(name, update);
  new ResizeObserver(() => { if (el.clientWidth && el.clientHeight) chart.resize(); }).observe(el); // a map of no size cannot be inverted
  update();
  return Object.assign(chart, { update });
}
