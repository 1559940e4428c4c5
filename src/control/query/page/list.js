'use strict';
/* The list: every parameter in folded groups, with a search. */

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make('textarea', { value: text });
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  said(`${text} copied`);
}

/* ---- one row for each address ---- */
function row(node) {
  const address = node.FULL_PATH, element = make('div', { className: 'row' });
  element.dataset.address = address;
  const label = make('button', { className: 'address', textContent: address, title: `copy ${address}`, onclick: () => copy(address) });
  const top = make('div', { className: 'top' }, label);
  const range = (node.RANGE || [])[0] || {}, type = node.TYPE, why = refusal(address) || node.IDLE || '';
  element.append(top);
  if (!(node.ACCESS & 2) || refusal(address) && type !== 'N') {
    const output = make('output');
    top.append(output);
    listen(address, values => output.textContent = values.map(v => typeof v === 'number' ? +v.toFixed(1) : v).join(' '));
  } else if (type === 'N') {
    const button = make('button', { className: 'fire', textContent: 'go', ariaLabel: `fire ${address}`, disabled: Boolean(refusal(address)) });
    button.onclick = () => { fire(address); flash(button); };
    top.append(button);
  } else if (type === 'T' || type === 'F') {
    const button = make('button', { className: 'switch', role: 'switch', ariaLabel: address });
    button.onclick = () => send(address, button.getAttribute('aria-checked') === 'true' ? 'F' : 'T', [button.getAttribute('aria-checked') !== 'true']);
    listen(address, ([on]) => button.setAttribute('aria-checked', String(Boolean(on))));
    top.append(button);
  } else if (type === 's' && range.VALS) {
    const choices = make('div', { className: 'choices', role: 'group', ariaLabel: address });
    for (const word of range.VALS) choices.append(make('button', { textContent: word, onclick: () => send(address, 's', [word]) }));
    listen(address, ([word]) => {
      for (const button of choices.children) button.setAttribute('aria-pressed', String(button.textContent === word));
    });
    element.append(choices);
  } else if (type === 's') {
    element.append(NAMED[address] ? named(address) : written(address));
  } else if (type === 'f' || type === 'i') {
    slider(element, top, node, range);
  } else if (/^f+$/.test(type)) {
    element.append(bars(node));
  }
  element.append(make('p', { className: 'help', textContent: node.DESCRIPTION || '' }));
  if (why) element.append(make('p', { className: 'why', textContent: why }));
  element.classList.toggle('idle', Boolean(why));
  return element;
}
/* Shows the newest value at once, and each one after it. */
function listen(address, act) {
  shows.list.set(address, act);
  if (latest.has(address)) act(latest.get(address));
}

/* Parameters that hold a name of a list are chosen, not typed. */
const NAMED = {
  '/preset': () => names.PRESETS,
  '/network': () => names.NETWORKS,
  '/style/network': () => ['', ...names.STYLE_NETWORKS],
};
function named(address) {
  const select = make('select', { ariaLabel: address });
  select.onchange = () => fire(address, 's', [select.value]);
  listen(address, ([now]) => {
    const list = [...NAMED[address]()];
    if (!list.includes(now)) list.unshift(now);
    select.replaceChildren(...list.map(name => make('option', { value: name, textContent: name || 'none' })));
    select.value = now;
  });
  return make('div', { className: 'text' }, select);
}
function written(address) {
  const field = make('input', { ariaLabel: address, spellcheck: false, autocomplete: 'off', placeholder: 'a name' });
  const form = make('form', { className: 'text' }, field, make('button', { textContent: 'send' }));
  form.onsubmit = event => { event.preventDefault(); fire(address, 's', [field.value]); field.blur(); };
  listen(address, ([text]) => { if (document.activeElement !== field) field.value = text; });
  return form;
}
function slider(element, top, node, range) {
  const address = node.FULL_PATH, whole = node.TYPE === 'i', min = range.MIN ?? 0, max = range.MAX ?? 1;
  const places = whole ? 0 : digits(min, max) + 1;
  const number = make('input', { className: 'number', type: 'number', step: 'any', ariaLabel: `${address} as a number` });
  const input = make('input', { type: 'range', min, max, step: whole ? 1 : 'any', ariaLabel: address });
  const word = make('span', { className: 'word' });
  const show = ([value]) => {
    input.value = value;
    input.style.setProperty('--at', `${100 * (value - min) / (max - min)}%`);
    if (document.activeElement !== number) number.value = Number(value).toFixed(places);
    word.textContent = styleOf(address, value);
  };
  const write = value => send(address, whole ? (Math.abs(value) > 0x7fffffff ? 'h' : 'i') : 'f', [whole ? Math.round(value) : value]);
  input.oninput = () => write(+input.value);
  input.onpointerdown = () => hold(address);
  input.onpointerup = input.onpointercancel = () => release(address);
  input.ondblclick = () => { if (node.DEFAULT) write(node.DEFAULT[0]); };
  number.onchange = () => { if (number.value !== '') write(Math.min(max, Math.max(min, +number.value))); };
  number.onkeydown = event => { if (event.key === 'Enter') number.blur(); };
  listen(address, show);
  top.append(word, number);
  // A slider is useless for a range of billions.
  if (max - min > 1e6) return;
  const track = make('div', { className: 'track' }, input);
  element.append(track);
  if (!node.EFFECTIVE) return;
  const tick = make('i', { className: 'tick' });
  // Where a value lies on the slider, as the knob shows it.
  const place = ([value]) => {
    tick.style.setProperty('--now', Math.min(1, Math.max(0, (value - min) / (max - min))));
    tick.style.visibility = 'visible';
  };
  shows.list.set('/effective' + address, place);
  place(node.EFFECTIVE);
  track.append(tick);
  element.dataset.moved = address;
  onScreen.observe(element);
}
/* The name of the style or class that a number means. */
function styleOf(address, value) {
  const list = nodes.get(address)?.NAMES;
  if (list) return list[Math.round(value)] || '';
  const member = /^\/style\/(a|b|mix\/(\d+))$/.exec(address), styles = playing.STYLES;
  if (!member || !styles.length) return '';
  return styles[member[2] === undefined ? value % styles.length : +member[2]] || '';
}
/* A whole vector, drawn with the finger: as many bars as it has numbers. */
function bars(node) {
  const address = node.FULL_PATH, tags = node.TYPE, limit = 4;
  let values = node.VALUE.slice();
  const canvas = make('canvas', { className: 'bars', ariaLabel: `${address}: draw` });
  const draw = () => {
    const width = canvas.width = canvas.clientWidth * devicePixelRatio, height = canvas.height = canvas.clientHeight * devicePixelRatio;
    const ink = canvas.getContext('2d'), step = width / values.length;
    ink.fillStyle = '#2b2b36';
    ink.fillRect(0, height / 2, width, 1);
    ink.fillStyle = '#ffba54';
    values.forEach((value, i) => {
      const length = value / limit * height / 2;
      ink.fillRect(i * step, Math.min(height / 2, height / 2 - length), Math.max(1, step - 1), Math.abs(length));
    });
  };
  const touch = event => {
    if (!event.buttons) return;
    const box = canvas.getBoundingClientRect();
    const i = Math.floor((event.clientX - box.left) / box.width * values.length);
    if (i < 0 || i >= values.length) return;
    values = values.slice();
    values[i] = Math.max(-limit, Math.min(limit, (1 - 2 * (event.clientY - box.top) / box.height) * limit));
    send(address, tags, values);
  };
  canvas.onpointerdown = event => { hold(address); canvas.setPointerCapture(event.pointerId); touch(event); };
  canvas.onpointermove = touch;
  canvas.onpointerup = canvas.onpointercancel = () => release(address);
  canvas.ondblclick = () => send(address, tags, values.map(() => 0));
  shows.list.set(address, news => { values = news; draw(); });
  new ResizeObserver(draw).observe(canvas);
  return canvas;
}

const onScreen = new IntersectionObserver(entries => {
  for (const entry of entries) {
    if (entry.isIntersecting) moved.list.add(entry.target.dataset.moved);
    else moved.list.delete(entry.target.dataset.moved);
  }
  hear();
});

/* ---- groups: by the first part of the address, folded until they are opened ---- */
const opened = new Set(remembered('opened', ['show']));
const whole = new Set();         // groups with a long family of which all members are shown
const SHORT = 8;
/* What is played most comes first; then the rest by name, the preset's own names, and the long families. */
const FIRST = ['show', 'macro', 'psi', 'seed', 'walk', 'style', 'feedback', 'preset', 'noise', 'transform'];
const FIRST_OF_SHOW = ['tempo', 'tap', 'blackout', 'freeze', 'panic', 'fit', 'network'];
const isMember = leaf => /\/\d+$/.test(leaf.FULL_PATH) && !isAlias(leaf);
const isAlias = leaf => (leaf.DESCRIPTION || '').startsWith('plays /');
const place = (list, name) => list.includes(name) ? list.indexOf(name) : list.length;
const wordsOf = leaf => `${leaf.FULL_PATH} ${leaf.DESCRIPTION || ''} ${JSON.stringify(leaf.RANGE || '')}`.toLowerCase();
function leaves(node, out = []) {
  if (node.TYPE) out.push(node);
  const family = Object.entries(node.CONTENTS || {});
  family.sort(([a], [b]) => /^\d+$/.test(a) && /^\d+$/.test(b) ? a - b : 0);
  for (const [, child] of family) leaves(child, out);
  return out;
}
function groups() {
  const named = { show: [] };
  for (const [name, node] of Object.entries(tree.CONTENTS)) {
    const all = leaves(node);
    if (all.every(leaf => !(leaf.ACCESS & 2))) continue;  // feeds are at the top of the page
    if (all.length === 1 && !isAlias(all[0])) named.show.push(all[0]);
    else named[name] = all;
  }
  const rank = ([name, all]) => all.every(isAlias) ? 98 : all.length > 32 ? 99 : place(FIRST, name);
  const short = leaf => leaf.FULL_PATH.slice(1);
  named.show.sort((a, b) => place(FIRST_OF_SHOW, short(a)) - place(FIRST_OF_SHOW, short(b)));
  return Object.entries(named).sort((a, b) => rank(a) - rank(b) || a[0].localeCompare(b[0])).filter(([, all]) => all.length);
}
/* Builds what is open; what matches the search is open as long as there is one. */
function build() {
  const list = $('list'), y = list.scrollTop;
  const words = $('search').value.toLowerCase().split(/\s+/).filter(Boolean);
  shows.list.clear();
  onScreen.disconnect();
  moved.list.clear();
  $('groups').replaceChildren();
  for (const [name, all] of groups()) {
    const found = words.length ? all.filter(leaf => words.every(word => wordsOf(leaf).includes(word))) : all;
    if (!found.length) continue;
    const isUnfolded = words.length > 0 || opened.has(name);
    const title = make('button', {
      className: 'group', ariaExpanded: String(isUnfolded), textContent: all.every(isAlias) ? `from the preset: ${name}` : name,
      onclick: () => {
        if (!opened.delete(name)) opened.add(name);
        remember('opened', [...opened]);
        build();
      },
    }, make('span', { textContent: found.length }));
    const section = make('section', {}, make('h2', {}, title));
    if (isUnfolded) fill(section, name, found);
    $('groups').append(section);
  }
  if (!$('groups').children.length) $('groups').append(make('p', { className: 'none', textContent: 'No parameter matches.' }));
  hear();
  list.scrollTop = y;
}
function fill(section, name, all) {
  const members = all.filter(isMember), few = members.length <= SHORT || whole.has(name);
  for (const leaf of all.filter(leaf => few || !members.includes(leaf) || members.indexOf(leaf) < SHORT)) {
    const element = row(leaf);
    // The help of a family is shown once.
    if (members.indexOf(leaf) > 0) element.querySelector('.help').remove();
    section.append(element);
  }
  if (!few) section.append(make('button', { className: 'more', textContent: `all ${members.length}`, onclick: () => { whole.add(name); build(); } }));
}
let isStale = true;
const rebuild = () => { isStale = true; if (tab === 'list' && tree) { isStale = false; build(); } };
when.tree.push(rebuild);
when.names.push(rebuild);
when.playing.push(() => { for (const [address, act] of shows.list) if (address.startsWith('/style/') && latest.has(address)) act(latest.get(address)); });
$('search').oninput = () => { if (tree) build(); };
