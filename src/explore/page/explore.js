'use strict';
const $ = id => document.getElementById(id);
const main = document.querySelector('main'), dialog = document.querySelector('dialog');
const BATCH = 60;
let info, stars = new Set(), liked = '', around = null, list = [], shown = 0, here = 0, anchor = 0, poll = 0;
const chosen = new Set();

/** What all pictures of the grid have in common, as a query. */
const common = () => {
  const query = new URLSearchParams({ psi: $('psi').value });
  if (info.classes.length) query.set('class', $('class').value);
  if ($('dir').value !== '') { query.set('dir', $('dir').value); query.set('amount', $('amount').value); }
  if (around !== null) { query.set('around', around); query.set('radius', $('radius').value); }
  return query;
};
const isPlain = () => around === null && $('dir').value === '';
const of = (seed, side) => `picture/${info.id}?seed=${seed}&side=${side}&${common()}`;
const starKey = seed => isPlain() ? `${seed} ${Number($('psi').value)} ${info.classes.length ? Number($('class').value) : 0}` : `${seed} ${common()}`;

async function get(path, options) {
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}
const say = text => { $('state').textContent = text; };

function tile(index) {
  const seed = list ? list[index] : index;
  const figure = document.createElement('figure'), img = new Image(), caption = document.createElement('figcaption');
  figure.tabIndex = 0;
  figure.dataset.index = index;
  figure.dataset.seed = seed;
  img.loading = 'lazy';
  img.alt = `seed ${seed}`;
  // A busy server is asked again.
  let tries = 0;
  img.onerror = () => {
    img.classList.add('missing');
    if (tries++ < 8 && figure.isConnected) setTimeout(() => { img.src = `${of(seed, 256)}&try=${tries}`; }, 400 * tries);
  };
  img.onload = () => img.classList.remove('missing');
  img.src = of(seed, 256);
  caption.textContent = seed;
  figure.append(img, caption);
  figure.classList.toggle('star', stars.has(starKey(seed)));
  return figure;
}
const total = () => list ? list.length : 4294967295;
function more() {
  const to = Math.min(shown + BATCH, total());
  const some = document.createDocumentFragment();
  for (; shown < to; shown++) some.append(tile(shown));
  main.append(some);
}
/** Adds pictures until the grid reaches well below the window. */
function fillUp() {
  while (shown && shown < total() && $('end').getBoundingClientRect().top < innerHeight + 800) more();
}
addEventListener('scroll', fillUp, { passive: true });
addEventListener('resize', fillUp);

function fill(order) {
  list = order;
  main.replaceChildren();
  shown = here = anchor = 0;
  chosen.clear();
  scrollTo(0, 0);
  more();
  fillUp();
  tell();
}
function tell() {
  const selected = chosen.size ? `${chosen.size} chosen · ` : '';
  say(`${selected}${list ? `${list.length} pictures` : 'all seeds'} · ${stars.size} stars in ${info.favourites}`);
}

/** Shows the grid in the order that is asked for, when the server has looked at the pictures. */
async function load() {
  const turn = ++load.turn;
  clearTimeout(poll);
  poll = 0;
  for (const output of document.querySelectorAll('output')) output.textContent = Number(output.previousElementSibling.value).toFixed(2);
  document.body.style.setProperty('--size', `${$('size').value}px`);
  $('amounts').hidden = $('dir').value === '';
  $('radii').hidden = around === null;
  document.querySelector('#radii b').textContent = around;
  if (!isPlain()) $('sort').value = 'seed';
  for (const option of $('sort').options) option.disabled = option.value !== 'seed' && (!isPlain() || option.value === 'like' && !liked);
  const sort = $('sort').value;
  $('of').hidden = sort === 'seed';
  if (sort === 'seed') return fill(null);
  const query = `order?sort=${sort}&count=${$('count').value}&like=${sort === 'like' ? liked : ''}&${common()}`;
  try {
    const order = await get(query);
    if (turn !== load.turn) return;
    if (order.seeds) return fill(order.seeds);
    say(`looking at pictures: ${order.looked} of ${order.of}`);
    poll = setTimeout(load, 500);
  } catch (error) { say(error.message); }
}
load.turn = 0;

function go(to, extend) {
  while (to >= shown && shown < total()) more();
  here = Math.max(0, Math.min(to, shown - 1));
  if (!extend) anchor = here;
  const figure = main.children[here];
  main.querySelector('.here')?.classList.remove('here');
  figure?.classList.add('here');
  figure?.focus({ preventScroll: true });
  figure?.scrollIntoView({ block: 'nearest' });
  if (dialog.open) enlarge();
}
function choose(index, on = !chosen.has(index)) {
  if (on) chosen.add(index); else chosen.delete(index);
  main.children[index]?.classList.toggle('chosen', on);
  tell();
}
const clear = () => { for (const index of [...chosen]) choose(index, false); };
const seedsOf = () => (chosen.size ? [...chosen] : [here]).map(index => Number(main.children[index].dataset.seed));
function enlarge() {
  const seed = main.children[here].dataset.seed;
  dialog.querySelector('img').src = of(seed, 4096);
  dialog.querySelector('p').textContent = `${info.network}, seed ${seed}${stars.has(starKey(Number(seed))) ? ' ★' : ''}`;
  if (!dialog.open) dialog.showModal();
}
async function star() {
  const seeds = seedsOf(), on = !seeds.every(seed => stars.has(starKey(seed)));
  try {
    await get(`star?seeds=${seeds}&on=${on}&${common()}`, { method: 'POST' });
    for (const seed of seeds) {
      if (on) stars.add(starKey(seed)); else stars.delete(starKey(seed));
      for (const figure of main.querySelectorAll(`[data-seed="${seed}"]`)) figure.classList.toggle('star', on);
    }
    tell();
    if (dialog.open) enlarge();
  } catch (error) { say(error.message); }
}
const columns = () => getComputedStyle(main).gridTemplateColumns.split(' ').length;
const keys = {
  ArrowRight: event => go(here + 1, event.shiftKey), ArrowLeft: event => go(here - 1, event.shiftKey),
  ArrowDown: event => go(here + columns(), event.shiftKey), ArrowUp: event => go(here - columns(), event.shiftKey),
  Home: () => go(0), x: () => choose(here), ' ': () => choose(here), s: star, Escape: () => { if (dialog.open) dialog.close(); else clear(); },
  Enter: () => { if (dialog.open) dialog.close(); else enlarge(); },
  l: () => { if (isPlain()) { liked = seedsOf().join(','); $('sort').value = 'like'; for (const option of $('sort').options) option.disabled = false; $('sort').value = 'like'; load(); } },
  a: () => { around = seedsOf()[0]; $('dir').value = ''; load(); },
};
addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input, select, button')) return;
  const key = keys[event.key] ?? keys[event.key.toLowerCase()];
  if (!key || !main.children.length) return;
  event.preventDefault();
  key(event);
  if (event.shiftKey && event.key.startsWith('Arrow')) {
    clear();
    for (let i = Math.min(anchor, here); i <= Math.max(anchor, here); i++) choose(i, true);
  }
});
main.addEventListener('click', event => {
  const index = Number(event.target.closest('figure')?.dataset.index ?? -1);
  if (index < 0) return;
  if (event.shiftKey) {
    for (let i = Math.min(anchor, index); i <= Math.max(anchor, index); i++) choose(i, true);
    return go(index, true);
  }
  go(index);
  choose(index);
});
main.addEventListener('dblclick', enlarge);
dialog.addEventListener('click', () => dialog.close());
dialog.addEventListener('cancel', event => { event.preventDefault(); dialog.close(); });
for (const id of ['sort', 'count', 'psi', 'class', 'dir', 'amount', 'radius']) $(id).addEventListener('change', load);
for (const input of document.querySelectorAll('input')) input.addEventListener('input', () => { if (input.nextElementSibling?.matches('output')) input.nextElementSibling.textContent = Number(input.value).toFixed(2); });
$('size').addEventListener('input', () => { document.body.style.setProperty('--size', `${$('size').value}px`); fillUp(); });
$('leave').addEventListener('click', () => { around = null; load(); });

/** Directions are found in the meantime. */
async function directions() {
  info.directions.forEach((name, index) => $('dir').add(new Option(name, index)));
  $('dirs').hidden = !info.directions.length;
  while (!info.is_complete) {
    await new Promise(done => setTimeout(done, 3000));
    const now = await get('info').catch(() => info);
    if (!now.is_complete) continue;
    info = now;
    return directions();
  }
}

(async () => {
  try {
    info = await get('info');
    document.title = document.querySelector('h1').textContent = info.network;
    document.body.style.setProperty('--shape', `${info.width} / ${info.height}`);
    $('psi').value = info.psi;
    info.classes.forEach((name, index) => $('class').add(new Option(name, index)));
    $('class').value = Math.round(info.class);
    $('classes').hidden = !info.classes.length;
    directions();
    for (const [seed, psi, cls] of info.stars) stars.add(`${seed} ${psi} ${cls}`);
    load();
  } catch (error) { say(error.message); }
})();
