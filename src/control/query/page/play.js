'use strict';
/* The first page: what is played with hands. */

/* ---- hold, black, panic, tap, record, save ---- */
const BUTTONS = [
  { id: 'hold', label: 'Hold', address: '/freeze', help: 'holds the picture' },
  { id: 'black', label: 'Black', address: '/blackout', help: 'black, and back' },
  { id: 'panic', label: 'Panic', address: '/panic', help: 'the preset as it was saved, without modulation' },
  { id: 'tap', label: 'Tap', address: '/tap', help: 'taps the tempo' },
  { id: 'record', label: 'Record', address: '/record/start', help: 'records what is shown' },
  { id: 'save-as', label: 'Save', address: '/preset/save', help: 'saves what plays as a preset' },
];
const button = id => $('button-' + id);
/* Does something, or says why not. */
const guarded = (address, act) => () => {
  const why = refusal(address);
  if (why) return said(why, 4000);
  act();
};
const isOn = id => button(id).getAttribute('aria-pressed') === 'true';
const ACTS = {
  hold: () => send('/freeze', isOn('hold') ? 'F' : 'T', [!isOn('hold')]),
  black: () => send('/blackout', 'f', [isOn('black') ? 0 : 1]),
  panic: () => { fire('/panic'); flash(button('panic')); },
  tap: () => { fire('/tap'); flash(button('tap')); },
  record: () => fire(isOn('record') ? '/record/stop' : '/record/start'),
  'save-as': () => { $('save-name').value = bare(latest.get('/preset')?.[0] || ''); $('save').showModal(); $('save-name').select(); },
};
for (const { id, label, address, help } of BUTTONS) {
  const element = make('button', { id: 'button-' + id, textContent: label, title: help });
  const act = guarded(address, ACTS[id]);
  // A tap counts when the finger comes down; the others when it leaves, as anywhere.
  if (id === 'tap') element.onpointerdown = event => { if (event.button === 0) act(); };
  element.onclick = event => { if (id !== 'tap' || event.detail === 0) act(); };
  if (['hold', 'black', 'record'].includes(id)) element.setAttribute('aria-pressed', 'false');
  $('buttons').append(element);
}
const press = (id, on) => button(id).setAttribute('aria-pressed', String(Boolean(on)));
shows.head.set('/freeze', ([on]) => press('hold', on));
shows.head.set('/blackout', ([amount]) => press('black', amount > 0.5));
shows.head.set('/record/status', ([line]) => {
  const time = /\d+(:\d\d)+/.exec(line || '')?.[0] || '';
  press('record', line);
  button('record').replaceChildren(line ? 'Stop' : 'Record', make('span', { className: 'stop-time', textContent: line ? ` ${time}` : '' }));
  button('record').title = line || 'records what is shown';
  $('rec').hidden = !line;
  $('rec').textContent = `REC ${time}`;
  $('rec').title = line || '';
});
when.tree.push(() => { for (const { id, address } of BUTTONS) button(id).setAttribute('aria-disabled', String(Boolean(refusal(address)))); });
$('save-no').onclick = () => $('save').close();
$('save').onclose = () => {
  const name = $('save-name').value.trim();
  if ($('save').returnValue === 'save' && name) fire('/preset/save', 's', [name]);
  $('save').returnValue = '';
};

/* ---- the faders: the macros ---- */
const parts = address => address.split('/').filter(Boolean);
/* Each with its address, what stands above it, and what it moves. */
function faders() {
  const found = [];
  for (let n = 1; nodes.has(`/macro/${n}`); n++) {
    const { NAME = '', TARGETS = [] } = nodes.get(`/macro/${n}`).MACRO || {};
    found.push([`/macro/${n}`, NAME || parts(TARGETS[0] || `/macro/${n}`).join(' '), TARGETS.filter(to => nodes.has(to))]);
  }
  return found;
}
let drawn = '';
function drawFaders() {
  const all = faders();
  // The same faders stay, with the fingers on them.
  const key = JSON.stringify(all.map(([address, label, targets]) => [address, label, targets, Boolean(nodes.get(address).EFFECTIVE), nodes.get(address).RANGE, targets.map(to => nodes.get(to).IDLE)]));
  if (key === drawn) return;
  drawn = key;
  shows.play.clear();
  moved.play.clear();
  $('faders').replaceChildren(...all.map(one => fader(...one)));
  for (const address of new Set(axes())) listenToAxis(address);
}

/* ---- the pad ---- */
let chosen = remembered('axes', ['/psi', '/walk/speed']);
const axes = () => chosen;
const paintPad = playPad(axes);
const listenToAxis = address => {
  const before = shows.play.get(address);
  shows.play.set(address, values => { before?.(values); paintPad(); });
};
const isAxis = node => {
  const { MIN = 0, MAX = 1 } = (node.RANGE || [])[0] || {};
  return node.TYPE === 'f' && node.ACCESS === 3 && MAX - MIN < 1e4 && !isMemberOfMany(node.FULL_PATH) && !(node.DESCRIPTION || '').startsWith('plays /');
};
const isMemberOfMany = address => /^\/(z|w|macro)\/\d+$/.test(address);
function drawPad() {
  const fitting = [...nodes.values()].filter(isAxis).map(node => node.FULL_PATH);
  // A parameter that is gone, with its effect, gives way.
  const usable = chosen.map((address, i) => fitting.includes(address) ? address : ['/psi', '/walk/speed'][i]);
  if (usable.some((address, i) => address !== chosen[i])) chosen = usable;
  for (const [i, id] of [[0, 'axis-x'], [1, 'axis-y']]) {
    const select = $(id), list = fitting.join();
    if (select.dataset.list !== list) {
      select.replaceChildren(...fitting.map(address => make('option', { value: address, textContent: address })));
      select.dataset.list = list;
    }
    select.value = chosen[i];
    select.onchange = () => {
      chosen = [$('axis-x').value, $('axis-y').value];
      remember('axes', chosen);
      drawn = '';
      drawFaders();
      paintPad();
    };
  }
  paintPad();
}
when.tree.push(() => { drawFaders(); drawPad(); });

/* ---- tiles: presets, networks, styles ---- */
let kind = remembered('kind', 'presets');
let slot = 'a';                  // which of the two styles a tile chooses
const label = name => bare(name).replace(/[-_]+/g, ' ');
const same = (a, b) => a === b || bare(a) === bare(b);
const path = (...names) => '/thumb/' + names.map(encodeURIComponent).join('/');
const text = address => String(latest.get(address)?.[0] ?? '');
const KINDS = {
  presets: {
    title: 'Presets', needs: ['/preset'],
    tiles: () => names.PRESETS.map((name, i) => ({ name, number: names.NUMBERS[i] ?? '', label: label(name), picture: path('preset', name), act: () => fire('/preset', 's', [name]) })),
    isOn: tile => same(tile.name, text('/preset')),
    isWaiting: tile => playing.WAITING.some(([address, name]) => address === '/preset' && same(name, tile.name)),
  },
  networks: {
    title: 'Networks', needs: ['/network'],
    tiles: () => names.NETWORKS.map(name => ({ name, label: label(name), picture: path('network', name), act: () => fire('/network', 's', [name]) })),
    isOn: tile => tile.name === text('/network'),
    isWaiting: tile => playing.WAITING.some(([address, name]) => address === '/network' && name === tile.name),
  },
  styles: {
    title: 'Styles', needs: ['/style/network', '/style/a', '/style/b'],
    tiles: () => playing.STYLES.map((name, i) => ({ name, at: i, label: label(name), picture: path('style', text('/style/network'), i), act: () => send('/style/' + slot, 'i', [i]) })),
    isOn: tile => styleAt('a') === tile.at,
    isSecond: tile => styleAt('b') === tile.at && Number(text('/style/blend')) > 0,
    isWaiting: () => false,
  },
};
const styleAt = which => Number(text('/style/' + which)) % (playing.STYLES.length || 1);
for (const [name, { title }] of Object.entries(KINDS)) {
  $('kinds').append(make('button', { textContent: title, role: 'tab', onclick: () => { kind = name; remember('kind', kind); drawTiles(); } }));
}
let tiled = '';
function drawTiles() {
  const { tiles, title } = KINDS[kind], all = tiles();
  [...$('kinds').children].forEach((tab, i) => tab.setAttribute('aria-selected', String(Object.keys(KINDS)[i] === kind)));
  $('tiles').setAttribute('aria-label', title);
  drawChoose();
  const key = kind + JSON.stringify(all);
  if (key !== tiled) {
    tiled = key;
    $('tiles').replaceChildren(...all.map(tile => {
      const element = make('button', { className: 'tile', onclick: tile.act, title: tile.label }, make('span', { textContent: soft(tile.label) }));
      // Keys and `/preset` choose it by this.
      if (tile.number) element.append(make('b', { textContent: tile.number }));
      element.tile = tile;
      thumbnail(tile.picture, element);
      return element;
    }));
    const hint = { styles: text('/style/network') ? 'loading the styles' : 'Choose a style network above: then its styles are here.', networks: 'no networks', presets: 'no presets' }[kind];
    if (!all.length) $('tiles').append(make('p', { textContent: hint }));
  }
  markTiles();
}
function markTiles() {
  const { isOn, isWaiting, isSecond } = KINDS[kind];
  for (const element of $('tiles').querySelectorAll('.tile')) {
    element.setAttribute('aria-pressed', String(isOn(element.tile)));
    element.classList.toggle('second', Boolean(isSecond?.(element.tile)));
    element.classList.toggle('waiting', isWaiting(element.tile));
  }
}
/* Above the styles: the network they are from, and which of the two is chosen. */
function drawChoose() {
  const box = $('choose');
  box.hidden = kind !== 'styles';
  if (box.hidden) return;
  const key = JSON.stringify([names.STYLE_NETWORKS, text('/style/network'), slot]);
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  const select = make('select', { ariaLabel: 'style network' }, ...['', ...names.STYLE_NETWORKS].map(name => make('option', { value: name, textContent: name || 'no painting' })));
  if (![...select.options].some(option => option.value === text('/style/network'))) select.append(make('option', { value: text('/style/network'), textContent: text('/style/network') }));
  select.value = text('/style/network');
  select.onchange = () => fire('/style/network', 's', [select.value]);
  const which = word => {
    const element = make('button', { textContent: word.toUpperCase(), ariaLabel: `tiles choose style ${word}`, onclick: () => { slot = word; drawChoose(); } });
    element.setAttribute('aria-pressed', String(slot === word));
    return element;
  };
  const blend = make('input', { type: 'range', min: 0, max: 1, step: 'any', ariaLabel: 'blend from style a to style b' });
  blend.oninput = () => send('/style/blend', 'f', [+blend.value]);
  blend.onpointerdown = () => hold('/style/blend');
  blend.onpointerup = blend.onpointercancel = () => release('/style/blend');
  shows.head.set('/style/blend', ([now]) => { blend.value = now; blend.style.setProperty('--at', `${100 * now}%`); markTiles(); });
  if (latest.has('/style/blend')) shows.head.get('/style/blend')(latest.get('/style/blend'));
  box.replaceChildren(select, which('a'), blend, which('b'));
}
for (const address of ['/preset', '/network', '/style/network', '/style/a', '/style/b']) {
  shows.head.set(address, () => { if (address === '/style/network') drawTiles(); else markTiles(); nameNow(); });
}
when.names.push(drawTiles);
when.playing.push(() => { drawTiles(); nameNow(); });
when.tree.push(drawTiles);
function nameNow() {
  const network = text('/network'), preset = text('/preset'), next = playing.WAITING.map(([address, value]) => value || address);
  for (const id of ['now', 'plays']) {
    $(id).replaceChildren(make('b', { textContent: label(preset) }), network && ` ${label(network)} `);
    if (next.length) $(id).append(make('em', { textContent: `→ ${label(next[next.length - 1])}` }));
  }
  $('now').title = `preset ${preset}, network ${network}`;
}

/* ---- thumbnails: a few at a time, and later if the instrument has not made them yet ---- */
const thumbs = new Map();        // path -> the address of a picture
const wanting = [];              // [path, tile, when]
let fetching = 0;
function thumbnail(path, element) {
  if (thumbs.has(path)) return showThumb(path, element);
  wanting.push([path, element, 0]);
  nextThumb();
}
// They may have changed: a preset was saved, or the page was alone for a while.
function forgetThumbs() {
  for (const url of thumbs.values()) URL.revokeObjectURL(url);
  thumbs.clear();
  tiled = '';
  drawTiles();
}
function showThumb(path, element) {
  element.prepend(make('img', { src: thumbs.get(path), alt: '', draggable: false }));
}
async function nextThumb() {
  // Tiles that are gone want nothing.
  for (let i = wanting.length - 1; i >= 0; i--) if (wanting[i][1].isConnected === false && wanting[i][2]) wanting.splice(i, 1);
  const at = wanting.findIndex(([, , due]) => due <= performance.now());
  if (fetching >= 2 || at < 0) return;
  const [[path, element]] = wanting.splice(at, 1);
  fetching++;
  try {
    const answer = thumbs.has(path) ? null : await fetch(path);
    if (answer?.ok) thumbs.set(path, URL.createObjectURL(await answer.blob()));
    if (thumbs.has(path)) showThumb(path, element);
    else if (answer.headers.has('Retry-After') || answer.status === 429) {
      const ms = 1000 * Math.max(1, +(answer.headers.get('Retry-After') || 2));
      wanting.push([path, element, performance.now() + ms]);
      setTimeout(nextThumb, ms + 10);
    }
  } catch {
    // The tile keeps its name until the instrument answers again.
    wanting.push([path, element, performance.now() + 3000]);
    setTimeout(nextThumb, 3010);
  }
  fetching--;
  nextThumb();
}
