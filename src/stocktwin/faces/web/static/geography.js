// The map's geometry: outlines from files of our own, cut where the fewest lanes pass, in a cylindrical projection.

const US = '840', ANTARCTICA = '010', FINE_SPAN = 45;
const wrap = (lon, cut) => lon + 360 * Math.ceil((cut - lon) / 360);
const arc = (from, to) => ((to - from + 540) % 360) - 180;

// Miller cylindrical: near Mercator in the middle latitudes, bearable in the north.
export const miller = {
  project: ([lon, lat]) => [(lon * Math.PI) / 180, -1.25 * Math.log(Math.tan(Math.PI / 4 + (0.4 * lat * Math.PI) / 180))],
  unproject: ([x, y]) => [(x * 180) / Math.PI, (2.5 * (Math.atan(Math.exp(-0.8 * y)) - Math.PI / 4) * 180) / Math.PI],
};

// Where to cut the globe open: between two neighbours, crossing the fewest lanes, then at the widest gap.
export function bestCut(longitudes, legs) {
  const sorted = [...new Set(longitudes)].sort((a, b) => a - b);
  if (sorted.length < 2) return -180;
  let best = { cost: Infinity, cut: -180 };
  sorted.forEach((west, k) => {
    const east = k + 1 < sorted.length ? sorted[k + 1] : sorted[0] + 360;
    const cut = ((((west + east) / 2 + 180) % 360) + 360) % 360 - 180;
    const crossed = legs.filter(([from, to]) => {
      const span = arc(from, to), reach = arc(from, cut);
      return span * reach > 0 && Math.abs(reach) < Math.abs(span);
    }).length;
    const cost = crossed * 1000 - (east - west);
    if (cost < best.cost) best = { cost, cut };
  });
  return best.cut;
}

// The part of a ring on one side of a meridian.
function side(ring, meridian, east) {
  const inside = (p) => (east ? p[0] >= meridian : p[0] <= meridian), out = [];
  ring.forEach((p, k) => {
    const q = ring[(k + 1) % ring.length];
    if (inside(p)) out.push(p);
    if (inside(p) !== inside(q)) out.push([meridian, p[1] + ((q[1] - p[1]) * (meridian - p[0])) / (q[0] - p[0])]);
  });
  return out;
}

// A ring whose neighbours are never half a world apart: Russia goes on past 180° instead of jumping back to the west.
function unrolled(ring) {
  let turn = 0;
  return ring.map(([lon, lat], k) => {
    if (k) turn -= 360 * Math.round((lon - ring[k - 1][0]) / 360);
    return [lon + turn, lat];
  });
}

// A feature on the globe cut open at `cut`: the parts of each polygon, and of its copies a turn away, between cut and cut + 360.
function turned(feature, cut) {
  const polygons = feature.geometry.type === 'Polygon' ? [feature.geometry.coordinates] : feature.geometry.coordinates;
  const parts = [];
  for (const rings of polygons) {
    const whole = rings.map(unrolled);
    for (const turn of [-360, 0, 360]) {
      const moved = whole.map((ring) => ring.map(([lon, lat]) => [lon + turn, lat]));
      const kept = moved.map((ring) => side(side(ring, cut, true), cut + 360, false)).filter((ring) => ring.length > 2);
      if (kept.length) parts.push(kept.map((ring) => [...ring, ring[0]]));
    }
  }
  return { type: 'Feature', properties: { name: feature.properties.name ?? '' }, geometry: { type: 'MultiPolygon', coordinates: parts } };
}

export const place = ([lon, lat], cut) => [wrap(lon, cut), lat];

export function bounds(points, cut) {
  const xs = points.map((p) => wrap(p[0], cut)), ys = points.map((p) => p[1]);
  const box = { west: Math.min(...xs), east: Math.max(...xs), south: Math.min(...ys), north: Math.max(...ys) };
  const dx = Math.max(3, (box.east - box.west) * 0.09), dy = Math.max(2.5, (box.north - box.south) * 0.2);
  return [[box.west - dx, Math.min(80, box.north + dy)], [box.east + dx, Math.max(-58, box.south - dy)]];
}

// Outlines as GeoJSON: American states where anything is in America, finer countries where the network is small.
export async function outlines(assets, points, cut) {
  const get = (name) => fetch(`${assets}/vendor/${name}.json`).then((response) => response.json());
  const xs = points.map((p) => wrap(p[0], cut)), span = xs.length ? Math.max(...xs) - Math.min(...xs) : 360;
  const american = points.some(([lon, lat]) => lon > -170 && lon < -60 && lat > 18 && lat < 72);
  const [world, states] = await Promise.all([get(span < FINE_SPAN && !american ? 'countries-50m' : 'countries-110m'), american ? get('us-states-10m') : null]);
  const countries = topojson.feature(world, world.objects.countries).features.filter((f) => f.id !== ANTARCTICA && !(states && f.id === US));
  const parts = states ? topojson.feature(states, states.objects.states).features : [];
  return { type: 'FeatureCollection', features: [...countries, ...parts].filter((f) => f.geometry).map((f) => turned(f, cut)) };
}
