// A grid over millions of rows that the server sorts: it fetches pages of a hundred as they come into sight and draws only
// what can be seen. A page is asked for behind the last row of the one before it where that one is known, else by its number. Past the browser's tallest element the scroll bar is compressed.
const ROW = 32, PAGE = 100, TALLEST = 8_000_000, KEPT = 60;

export class Grid {
  // columns: [{key, label, width, grows, num, write(row) → text, tone(row) → class, link(row) → url}]; page({offset, after}, limit) → {total, offset, next, rows}
  constructor(el, { columns, page, sort, sortable, onSort, onOpen, onTotal }) {
    Object.assign(this, { el, columns, page, sort, onSort, onOpen, onTotal, total: 0, age: 0, at: -1, pages: new Map(), behind: new Map() });
    el.style.setProperty('--grid-columns', columns.map((c) => (c.grows ? `minmax(${c.width}px, 1fr)` : `${c.width}px`)).join(' '));
    el.style.setProperty('--grid-width', `${columns.reduce((sum, c) => sum + c.width, 0)}px`);
    this.head = this.#part('div', 'grid-head', 'row', el);
    columns.forEach((c) => this.#heading(c, sortable.includes(c.key)));
    this.body = this.#part('div', 'grid-body', 'rowgroup', el);
    this.window = this.#part('div', 'grid-window', 'presentation', this.body);
    el.setAttribute('aria-colcount', columns.length);
    el.addEventListener('scroll', () => this.#soon(), { passive: true });
    el.addEventListener('keydown', (event) => this.#key(event));
    new ResizeObserver(() => this.#soon()).observe(el);
    this.window.addEventListener('click', (event) => {
      const row = event.target.closest('[aria-rowindex]');
      if (row && !event.target.closest('a')) this.select(Number(row.getAttribute('aria-rowindex')) - 2, true);
    });
  }

  #part(tag, className, role, parent) {
    const part = document.createElement(tag);
    part.className = className;
    part.setAttribute('role', role);
    return parent.appendChild(part);
  }

  #heading(column, sortable) {
    const cell = this.#part('div', column.num ? 'num' : '', 'columnheader', this.head);
    const label = cell.appendChild(document.createElement(sortable ? 'button' : 'span'));
    label.textContent = column.label;
    cell.dataset.key = column.key;
    if (sortable) {
      label.type = 'button';
      label.addEventListener('click', () => {
        const same = this.sort.key === column.key;
        this.sort = { key: column.key, descending: same ? !this.sort.descending : Boolean(column.num) };
        this.onSort(this.sort);
        this.reset();
      });
    }
  }

  get visible() { return Math.max(1, Math.floor((this.el.clientHeight - this.head.offsetHeight) / ROW)); }
  get compressed() { return this.total * ROW > TALLEST; }
  get first() {
    if (!this.compressed) return Math.floor(this.el.scrollTop / ROW);
    const room = Math.max(1, TALLEST - (this.el.clientHeight - this.head.offsetHeight));
    return Math.round((this.total - this.visible) * Math.min(1, this.el.scrollTop / room));
  }

  // From the top, in a new order or under another filter.
  async reset() {
    this.at = -1;
    this.el.scrollTop = 0;
    await this.refresh();
  }

  // The rows in sight again, where they are: a fact has changed something.
  async refresh() {
    const age = ++this.age, wanted = new Set(this.#wanted());
    for (const cell of this.head.children) {
      const here = cell.dataset.key === this.sort.key;
      if (here) cell.setAttribute('aria-sort', this.sort.descending ? 'descending' : 'ascending'); else cell.removeAttribute('aria-sort');
    }
    this.el.setAttribute('aria-busy', 'true');
    const fresh = new Map();
    this.behind.clear();
    for (const number of wanted) {
      const rows = (await this.#fetch(number)).rows;
      if (age !== this.age) return;
      fresh.set(number, rows);
    }
    this.el.removeAttribute('aria-busy');
    this.pages = fresh;
    this.draw();
  }

  #wanted() {
    const first = Math.max(0, this.first), last = Math.max(first, Math.min(this.total - 1, first + this.visible + 1));
    return [Math.floor(first / PAGE), Math.floor(last / PAGE)];
  }

  async #fetch(number) {
    const age = this.age, after = this.behind.get(number);
    const { total, offset, next, rows } = await this.page(after ? { after } : { offset: number * PAGE }, PAGE);
    if (age === this.age && next) this.behind.set(number + 1, next);
    if (total !== this.total) {
      this.total = total;
      this.body.style.height = `${Math.min(total * ROW, TALLEST)}px`;
      this.el.setAttribute('aria-rowcount', total + 1);
    }
    this.onTotal(total);
    return { rows, moved: offset !== number * PAGE };
  }

  async #load(number) {
    const age = this.age;
    this.pages.set(number, null);
    try {
      const { rows, moved } = await this.#fetch(number);
      if (age !== this.age) return;
      this.pages.set(number, rows);
      if (moved) this.refresh(); else this.draw(); // facts came in between: the pages around it have moved, too
    } catch { this.pages.delete(number); }
  }

  #soon() { this.frame ??= requestAnimationFrame(() => { this.frame = undefined; this.draw(); }); }
  row(index) { return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE]; }

  draw() {
    const first = Math.max(0, Math.min(this.first, this.total - 1)), count = Math.max(0, Math.min(this.visible + 2, this.total - first));
    for (const number of new Set(this.#wanted())) if (this.total && !this.pages.has(number)) this.#load(number);
    for (const number of this.pages.keys()) if (this.pages.size > KEPT && !this.#wanted().includes(number)) this.pages.delete(number);
    const top = this.compressed ? Math.min(this.el.scrollTop, TALLEST - count * ROW) : first * ROW;
    this.window.style.transform = `translateY(${top}px)`;
    this.window.replaceChildren(...Array.from({ length: count }, (_, k) => this.#row(first + k)));
    if (!this.total) this.#nothing();
    this.el.dataset.drawn = `${first}+${count}`;
  }

  #nothing() {
    const row = this.#part('div', '', 'row', this.window), cell = this.#part('div', 'empty', 'gridcell', row);
    cell.textContent = 'Nothing matches.';
  }

  #row(index) {
    const data = this.row(index), row = document.createElement('div');
    row.className = 'grid-row';
    row.id = `row-${index}`;
    row.setAttribute('role', 'row');
    row.setAttribute('aria-rowindex', index + 2);
    row.setAttribute('aria-selected', String(index === this.at));
    this.columns.forEach((column, k) => {
      const cell = this.#part('div', `${column.num ? 'num' : ''} ${data ? column.tone?.(data) ?? '' : ''}`.trim(), k ? 'gridcell' : 'rowheader', row);
      const text = data ? column.write(data) : '…';
      if (data && column.link) {
        const link = cell.appendChild(document.createElement('a'));
        link.href = column.link(data);
        link.tabIndex = -1;
        link.textContent = text;
      } else cell.textContent = text;
    });
    return row;
  }

  select(index, open = false) {
    if (!this.total) return;
    this.at = Math.max(0, Math.min(this.total - 1, index));
    const first = this.first, last = first + this.visible - 1;
    if (this.at < first) this.#scrollTo(this.at); else if (this.at > last) this.#scrollTo(this.at - this.visible + 1);
    this.draw();
    this.el.setAttribute('aria-activedescendant', `row-${this.at}`);
    const data = this.row(this.at);
    if (open && data) this.onOpen(data);
  }

  #scrollTo(index) {
    const room = TALLEST - (this.el.clientHeight - this.head.offsetHeight);
    this.el.scrollTop = this.compressed ? (index / Math.max(1, this.total - this.visible)) * room : index * ROW;
  }

  #key(event) {
    if (event.target !== this.el) return;
    const steps = { ArrowDown: this.at + 1, ArrowUp: this.at - 1, PageDown: this.at + this.visible, PageUp: this.at - this.visible, Home: 0, End: this.total - 1, Enter: this.at };
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.select(steps[event.key], event.key === 'Enter');
  }
}
