'use strict';
/*
 * The explorer: an endless grid of small pictures of a network. `explorer(root, host)` builds it in an element, and the page
 * around it says when somebody looks: `look(true)`.
 *
 * host.base      where to ask: `/explore/`
 * host.named     is told the network's name
 * host.begin     gives the psi and class to begin with
 * host.play      plays a picture; without it, a click chooses
 * host.refusal   why nothing may be starred; '' if it may
 * host.follows   whether the network may become another one
 */
function explorer(root, host = {}) {
  const { base = '', named = () => {}, begin = () => ({}), play = null, refusal = () => '', follows = false } = host;
  const BATCH = 60, AT_ONCE = 4, MOST_TRIES = 12, SOON = 60, MOST_ROUGH = 24, GLANCE = 250, IN_FLIGHT = 2, STILL = 150;
  /** Whole pictures that take longer, in milliseconds, come after rough ones: all that are seen together, at rest and while it scrolls. */
  const PATIENCE = 3000, HASTE = 500;
  const touches = matchMedia('(hover: none)').matches;
  root.classList.add('explorer');
  root.innerHTML = `
    <div class="settings">
      <b class="name"></b>
      <label>Sort <select data-is="sort">
        <option value="seed">by seed</option><option value="artifacts">artifacts first</option><option value="usual">usual first</option>
        <option value="average">from the average</option><option value="colour">by colour</option><option value="like" disabled>more like these</option>
      </select></label>
      <label data-is="of">of <select data-is="count"><option>200</option><option selected>500</option><option>1000</option><option>2000</option><option>5000</option></select></label>
      <label>psi <input data-is="psi" type="range" min="0" max="1.5" step="0.05"><output></output></label>
      <label data-is="classes" hidden>Class <select data-is="class"></select></label>
      <label data-is="dirs" hidden>Direction <select data-is="dir"><option value="">none</option></select></label>
      <label data-is="amounts" hidden>by <input data-is="amount" type="range" min="-5" max="5" step="0.25" value="2"><output></output></label>
      <span class="around" data-is="radii" hidden>Around <b></b> <label>within <input data-is="radius" type="range" min="0.05" max="1" step="0.05" value="0.3"><output></output></label> <button data-is="leave">leave</button></span>
      <label>Size <input data-is="size" type="range" min="48" max="384" step="8" value="128"></label>
    </div>
    <div class="pictures" tabindex="-1"><div class="grid" role="group" aria-label="pictures"></div><p class="end"></p></div>
    <div class="foot">
      <span class="acts"></span>
      <span class="state" role="status"></span>
    </div>
    <dialog tabindex="-1" autofocus><img alt=""><p></p><div></div></dialog>`;
  const find = selector => root.querySelector(selector);
  const $ = name => find(`[data-is=${name}]`);
  const pictures = find('.pictures'), grid = find('.grid'), dialog = find('dialog');
  const chosen = new Set(), stars = new Set();
  let info = null, liked = '', around = null, list = null, shown = 0, here = 0, anchor = 0, poll = 0, isLooked = false, turn = 0, playing = null;
  $('size').value = touches ? 96 : 128;

  /* ---- what is asked for ---- */
  const number = name => Number($(name).value);
  const isPlain = () => around === null && $('dir').value === '';
  const hasClasses = () => info.classes.length > 0;
  /** What all pictures of the grid have in common, as a query. */
  const common = () => {
    const query = new URLSearchParams({ psi: $('psi').value });
    if (hasClasses()) query.set('class', $('class').value);
    if ($('dir').value !== '') { query.set('dir', $('dir').value); query.set('amount', $('amount').value); }
    if (around !== null) { query.set('around', around); query.set('radius', $('radius').value); }
    return query;
  };
  const of = (seed, side) => `${base}picture/${info.id}?seed=${seed}&side=${side}&${common()}`;
  /** What a picture is called: it is that of a seed, or of a moment of what was played. */
  const title = seed => info.times ? `at ${info.times[seed]}` : `seed ${seed}`;
  const starKey = seed => isPlain() ? `${seed} ${number('psi')} ${hasClasses() ? number('class') : 0}` : `${seed} ${common()}`;
  async function get(path, options) {
    const answer = await fetch(base + path, options);
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }
  const say = text => { find('.state').textContent = text; };
  const pause = ms => new Promise(done => setTimeout(done, ms));

  /* ---- pictures: a few at a time, those that are seen first, and none while nobody looks ---- */
  const near = new Set(), loading = new Set();
  const seen = new IntersectionObserver(changes => {
    for (const { target, isIntersecting } of changes) {
      if (isIntersecting) { near.add(target); target.since = performance.now(); continue; }
      near.delete(target);
      cancel(target);
      smooth(target);
      [target.tries, target.due] = [0, 0];
    }
    leaveSketches(batch => !batch.figures.some(isBare));
    next();
  }, { root: pictures, rootMargin: '300px' });
  /** How fast it scrolls down, in pixels a millisecond; where it was, and when. */
  let speed = 0, place = 0, moved = 0;
  pictures.addEventListener('scroll', () => {
    const now = performance.now(), gone = Math.max(1, now - moved), by = (pictures.scrollTop - place) / gone;
    speed = gone < STILL ? speed + (by - speed) / 4 : 0;
    [place, moved] = [pictures.scrollTop, now];
  }, { passive: true });
  /** Sorts figures: first those that will be seen when they are there, in so many milliseconds, and of these the ones that stay longest. */
  function bySight(figures, soon) {
    const box = pictures.getBoundingClientRect(), by = scrolls() ? speed * soon : 0;
    const far = figure => {
      const { top, bottom } = figure.getBoundingClientRect();
      return Math.max(0, box.top - bottom + by, top - box.bottom - by);
    };
    const way = by > 0 ? -1 : 1;
    const places = new Map(figures.map(figure => [figure, far(figure)]));
    return figures.sort((a, b) => places.get(a) - places.get(b) || way * (a.dataset.index - b.dataset.index));
  }
  function next() {
    if (!isLooked || !info) return;
    const now = performance.now();
    const wanting = bySight([...near].filter(figure => !figure.isLoaded), AT_ONCE * pace);
    const bare = wanting.filter(isBare);
    // All the rough ones first, where whole ones take long; but what the browser has kept is sooner there.
    const slow = isSlow(bare), isRoughFirst = slow && now >= rest && bare.some(figure => now >= figure.since + SOON);
    const due = isRoughFirst ? [] : wanting.filter(figure => !loading.has(figure) && figure.due <= now);
    for (const figure of due.slice(0, AT_ONCE - loading.size)) {
      if (!loading.size) came = now;
      loading.add(figure);
      figure.querySelector('img').src = of(figure.dataset.seed, 256) + (figure.tries ? `&try=${figure.tries}` : '');
    }
    if (slow) sketch(bare, now);
  }
  /** Nobody waits for this picture any more. */
  function cancel(figure) {
    if (!loading.delete(figure)) return;
    figure.querySelector('img').removeAttribute('src');
  }

  /* ---- rough pictures, until the whole ones are there: many at once, and none of what the browser has kept ---- */
  /** What is being drawn roughly: the figures, and how to leave it. */
  const sketching = new Set();
  /** How long one takes, in milliseconds; when the last ones came; when to ask again. */
  let each = 15, last = 0, rest = 0, waking = 0;
  /** Milliseconds from one whole picture to the next, while they are waited for; when the last one came. */
  let pace = 0, came = 0;
  const scrolls = () => performance.now() - moved < STILL;
  const isSlow = bare => info.rough && pace * bare.length > (scrolls() ? HASTE : PATIENCE);
  const isBare = figure => near.has(figure) && !figure.isLoaded && !figure.rough;
  async function sketch(bare, now) {
    if (sketching.size >= IN_FLIGHT) return;
    // What the browser has kept is sooner there.
    const asked = new Set([...sketching].flatMap(batch => batch.figures));
    const due = bySight(bare.filter(figure => now >= figure.since + SOON && !asked.has(figure)), GLANCE);
    if (!due.length || now < rest) {
      clearTimeout(waking);
      // Those that are on their way call it again.
      if (sketching.size && now >= rest) return;
      waking = setTimeout(next, Math.max(rest - now, due.length ? 0 : SOON));
      return;
    }
    const figures = due.slice(0, Math.max(2, Math.min(MOST_ROUGH, Math.round(GLANCE / each))));
    const own = { figures, abort: new AbortController() };
    sketching.add(own);
    // Another one is asked for at once, so that the server always has one.
    next();
    try {
      const seeds = figures.map(figure => figure.dataset.seed);
      const answer = await fetch(`${base}rough/${info.id}?seeds=${seeds}&${common()}`, { signal: own.abort.signal });
      if (answer.status === 404) info.rough = false;
      if (!answer.ok) throw new Error(await answer.text());
      const strip = await createImageBitmap(await answer.blob());
      each += ((performance.now() - Math.max(now, last)) / figures.length - each) / 2;
      last = performance.now();
      const height = strip.height / figures.length;
      figures.forEach((figure, index) => { if (isBare(figure)) roughen(figure, strip, height, index); });
      strip.close();
    } catch (error) {
      // The whole ones come anyway.
      if (error.name !== 'AbortError') rest = performance.now() + 1000;
    }
    sketching.delete(own);
    next();
  }
  function leaveSketches(isOver) {
    for (const batch of sketching) if (isOver(batch)) batch.abort.abort();
  }
  function roughen(figure, strip, height, index) {
    const canvas = figure.rough = document.createElement('canvas');
    [canvas.width, canvas.height] = [strip.width, height];
    canvas.getContext('2d').drawImage(strip, 0, -index * height);
    figure.prepend(canvas);
  }
  function smooth(figure) {
    figure.rough?.remove();
    figure.rough = null;
  }
  function tile(index) {
    const seed = list ? list[index] : index;
    const figure = document.createElement('figure'), img = new Image(), caption = document.createElement('figcaption'), star = document.createElement('button');
    figure.tabIndex = 0;
    Object.assign(figure.dataset, { index, seed });
    Object.assign(figure, { tries: 0, due: 0, since: 0, isLoaded: false, rough: null });
    img.alt = title(seed);
    img.draggable = false;
    img.onload = async () => {
      loading.delete(figure);
      const now = performance.now();
      [pace, came] = [pace + (now - came - pace) / 8, now];
      figure.isLoaded = true;
      next();
      // In place of the rough one, without a gap.
      await img.decode().catch(() => {});
      figure.classList.add('whole');
      requestAnimationFrame(() => smooth(figure));
    };
    img.onerror = () => {
      if (!loading.delete(figure)) return;
      // A busy server is asked again.
      figure.tries++;
      const ms = Math.min(400 * figure.tries, 4000);
      figure.due = figure.tries < MOST_TRIES ? performance.now() + ms : Infinity;
      if (figure.tries === 2) fetch(img.src).then(async answer => { if (answer.status === 500) say(await answer.text()); }).catch(() => {});
      img.removeAttribute('src');
      setTimeout(next, ms + 10);
      next();
    };
    caption.textContent = info.times ? info.times[seed] : seed;
    star.className = 'mark';
    star.tabIndex = -1;
    star.title = 'star (S)';
    star.ariaLabel = `star ${title(seed)}`;
    figure.append(img, caption, star);
    figure.classList.toggle('star', stars.has(starKey(seed)));
    figure.classList.toggle('plays', seed === playing);
    seen.observe(figure);
    return figure;
  }
  const total = () => list ? list.length : info.times ? info.times.length : 4294967296;
  function more() {
    const to = Math.min(shown + BATCH, total());
    const some = document.createDocumentFragment();
    for (; shown < to; shown++) some.append(tile(shown));
    grid.append(some);
  }
  /** Adds pictures until the grid reaches well below what is seen. */
  function fillUp() {
    while (isLooked && shown && shown < total() && find('.end').getBoundingClientRect().top < pictures.getBoundingClientRect().bottom + 800) more();
  }
  pictures.addEventListener('scroll', fillUp, { passive: true });
  new ResizeObserver(fillUp).observe(pictures);

  function fill(order) {
    list = order;
    seen.disconnect();
    near.clear();
    for (const figure of [...loading]) cancel(figure);
    leaveSketches(() => true);
    grid.replaceChildren();
    shown = here = anchor = 0;
    chosen.clear();
    pictures.scrollTop = 0;
    more();
    fillUp();
    tell();
  }
  function tell() {
    const selected = chosen.size ? `${chosen.size} chosen · ` : '';
    say(`${selected}${list || info.times ? `${total()} pictures` : 'all seeds'} · ${stars.size} ${stars.size === 1 ? 'star' : 'stars'} in ${info.favourites}`);
  }

  /** Shows the grid in the order that is asked for, when the server has looked at the pictures. */
  async function load() {
    const own = ++turn;
    clearTimeout(poll);
    for (const output of root.querySelectorAll('output')) output.textContent = Number(output.previousElementSibling.value).toFixed(2);
    root.style.setProperty('--size', `${$('size').value}px`);
    $('amounts').hidden = $('dir').value === '';
    $('radii').hidden = around === null;
    find('.around b').textContent = around;
    if (!isPlain()) $('sort').value = 'seed';
    for (const option of $('sort').options) option.disabled = option.value !== 'seed' && (!isPlain() || option.value === 'like' && !liked);
    const sort = $('sort').value;
    $('of').hidden = sort === 'seed' || info.times !== null;
    if (sort === 'seed') return fill(null);
    const query = `order?sort=${sort}&count=${info.times?.length ?? $('count').value}&like=${sort === 'like' ? liked : ''}&${common()}`;
    try {
      const order = await get(query);
      if (own !== turn) return;
      if (order.seeds) return fill(order.seeds);
      say(`looking at pictures: ${order.looked} of ${order.of}`);
      // While nobody looks, nobody asks: see `look`.
      if (isLooked) poll = setTimeout(load, 500);
    } catch (error) { if (own === turn) say(error.message); }
  }

  /* ---- what is done with pictures ---- */
  function go(to, extend) {
    while (to >= shown && shown < total()) more();
    here = Math.max(0, Math.min(to, shown - 1));
    if (!extend) anchor = here;
    const figure = grid.children[here];
    find('.here')?.classList.remove('here');
    figure?.classList.add('here');
    figure?.focus({ preventScroll: true });
    figure?.scrollIntoView({ block: 'nearest' });
    if (dialog.open) enlarge();
  }
  function choose(index, on = !chosen.has(index)) {
    if (on) chosen.add(index); else chosen.delete(index);
    grid.children[index]?.classList.toggle('chosen', on);
    tell();
  }
  const clear = () => { for (const index of [...chosen]) choose(index, false); };
  function chooseTo(index) {
    for (let i = Math.min(anchor, index); i <= Math.max(anchor, index); i++) choose(i, true);
  }
  const seedAt = index => Number(grid.children[index].dataset.seed);
  const seedsOf = () => (chosen.size ? [...chosen] : [here]).map(seedAt);
  function enlarge() {
    const seed = seedAt(here), source = of(seed, 4096), image = dialog.querySelector('img');
    if (image.getAttribute('src') !== source) image.src = source;
    dialog.querySelector('p').textContent = `${info.network}, ${title(seed)}${stars.has(starKey(seed)) ? ' ★' : ''}`;
    if (!dialog.open) dialog.showModal();
  }
  const large = () => { if (dialog.open) dialog.close(); else enlarge(); };
  function playHere() {
    const seed = seedAt(here), dir = $('dir').value;
    const along = dir === '' ? null : { name: info.directions[dir], amount: number('amount') };
    const mixed = around === null ? null : { seed: around, radius: number('radius') };
    play({ seed, psi: number('psi'), class: hasClasses() ? number('class') : null, along, around: mixed });
    mark(seed);
  }
  /** Marks the seed that plays. */
  function mark(seed) {
    playing = seed;
    for (const figure of grid.querySelectorAll('.plays')) figure.classList.remove('plays');
    if (seed !== null) grid.querySelector(`[data-seed="${seed}"]`)?.classList.add('plays');
  }
  async function star(seeds = seedsOf()) {
    const why = refusal();
    if (why) return say(why);
    const on = !seeds.every(seed => stars.has(starKey(seed)));
    try {
      await get(`star?seeds=${seeds}&on=${on}&${common()}`, { method: 'POST' });
      for (const seed of seeds) {
        if (on) stars.add(starKey(seed)); else stars.delete(starKey(seed));
        for (const figure of grid.querySelectorAll(`[data-seed="${seed}"]`)) figure.classList.toggle('star', on);
      }
      tell();
      if (dialog.open) enlarge();
    } catch (error) { say(error.message); }
  }
  function like() {
    if (!isPlain()) return say('likeness is of plain seeds: leave the direction and the surroundings first');
    liked = seedsOf().join(',');
    for (const option of $('sort').options) option.disabled = false;
    $('sort').value = 'like';
    load();
  }
  function surround() { if (info.times) return say('surroundings are those of seeds'); around = seedsOf()[0]; $('dir').value = ''; load(); }
  function plainly() { if (dialog.open) dialog.close(); else clear(); }

  const columns = () => getComputedStyle(grid).gridTemplateColumns.split(' ').length;
  const enter = play ? playHere : large;
  const keys = {
    ArrowRight: event => go(here + 1, event.shiftKey), ArrowLeft: event => go(here - 1, event.shiftKey),
    ArrowDown: event => go(here + columns(), event.shiftKey), ArrowUp: event => go(here - columns(), event.shiftKey),
    Home: () => go(0), x: () => choose(here), ' ': () => choose(here), s: () => star(), l: like, a: surround, v: large,
    Enter: enter, Escape: plainly,
  };
  addEventListener('keydown', event => {
    if (!isLooked || event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input, select, textarea')) return;
    // These press the button.
    if (event.target.matches('button') && (event.key === 'Enter' || event.key === ' ')) return;
    const key = keys[event.key] ?? keys[event.key.toLowerCase()];
    if (!key || !grid.children.length) return;
    event.preventDefault();
    key(event);
    if (event.shiftKey && event.key.startsWith('Arrow')) { clear(); chooseTo(here); }
  });
  /* The same for hands without keys. */
  const acts = [
    ...play ? [['Play', 'Enter', playHere]] : [],
    ['Choose', 'X', () => choose(here)], ['Star', 'S', () => star()], ['More like these', 'L', like], ['Around this', 'A', surround], ['Large', 'V', large], ['Choose none', 'Esc', clear],
  ];
  for (const [label, key, act] of acts) {
    const button = document.createElement('button'), hint = document.createElement('kbd');
    hint.textContent = key;
    button.append(label, ' ', hint);
    button.addEventListener('click', () => { if (grid.children.length) act(); });
    find('.acts').append(button);
  }
  for (const [label, act] of [...play ? [['Play', playHere]] : [], ['Star', () => star()], ['Close', () => dialog.close()]]) {
    const button = document.createElement('button');
    button.textContent = label;
    button.addEventListener('click', act);
    dialog.querySelector('div').append(button);
  }
  grid.addEventListener('click', event => {
    const figure = event.target.closest('figure');
    if (!figure) return;
    const index = Number(figure.dataset.index);
    if (event.target.matches('.mark')) return star([Number(figure.dataset.seed)]);
    if (event.shiftKey) {
      chooseTo(index);
      return go(index, true);
    }
    go(index);
    if (play && !event.ctrlKey && !event.metaKey) playHere(); else choose(index);
  });
  if (!play) grid.addEventListener('dblclick', event => { if (!event.target.matches('.mark')) enlarge(); });
  dialog.querySelector('img').addEventListener('click', () => dialog.close());
  dialog.addEventListener('cancel', event => { event.preventDefault(); dialog.close(); });
  for (const name of ['sort', 'count', 'psi', 'class', 'dir', 'amount', 'radius']) $(name).addEventListener('change', load);
  for (const input of root.querySelectorAll('input')) input.addEventListener('input', () => { if (input.nextElementSibling?.matches('output')) input.nextElementSibling.textContent = Number(input.value).toFixed(2); });
  $('size').addEventListener('input', () => { root.style.setProperty('--size', `${$('size').value}px`); fillUp(); });
  $('leave').addEventListener('click', () => { around = null; load(); });

  /* ---- the network ---- */
  function showDirections() {
    const select = $('dir'), now = select.value;
    select.replaceChildren(new Option('none', ''), ...info.directions.map((name, index) => new Option(name, index)));
    select.value = now;
    $('dirs').hidden = !info.directions.length;
  }
  async function meet(found) {
    const isOther = info?.id !== found.id;
    const isComplete = found.is_complete && (isOther || !info.is_complete);
    info = found;
    if (isOther) {
      const { psi = info.psi, class: cls = info.class } = begin();
      named(info.network);
      find('.name').textContent = info.network;
      root.style.setProperty('--shape', `${info.width} / ${info.height}`);
      $('psi').value = psi;
      $('class').replaceChildren(...info.classes.map((name, index) => new Option(name, index)));
      $('class').value = Math.round(cls);
      if ($('class').selectedIndex < 0 && hasClasses()) $('class').selectedIndex = 0;
      $('classes').hidden = !hasClasses();
      $('psi').closest('label').hidden = info.times !== null;
      $('sort').options[0].text = info.times ? 'by time' : 'by seed';
      grid.classList.toggle('timed', info.times !== null);
      $('dir').value = '';
      [around, liked] = [null, ''];
      $('sort').value = 'seed';
      stars.clear();
      const known = await get('stars').catch(error => { say(error.message); return []; });
      for (const [seed, psi, cls] of known) stars.add(`${seed} ${psi} ${cls}`);
      load();
    }
    if (isOther || isComplete) showDirections();
    next();
  }
  /** Asks about the network, again and again while it may become another one or something about it is being found out. */
  let asking = null;
  async function ask() {
    if (asking) return asking;
    asking = (async () => {
      while (isLooked) {
        try { await meet(await get('info')); } catch (error) { say(error.message); await pause(1000); continue; }
        if (!follows && info.is_complete && info.rough !== null) break;
        await pause(1500);
      }
      asking = null;
    })();
  }
  /** Somebody looks at it, or nobody does any more. */
  function look(on) {
    isWanted = on;
    const before = isLooked;
    isLooked = on && !document.hidden;
    if (isLooked === before) return;
    if (!isLooked) {
      clearTimeout(poll);
      for (const figure of [...loading]) cancel(figure);
      leaveSketches(() => true);
      return;
    }
    ask();
    if (!info) return;
    if ($('sort').value !== 'seed' && !list) load();
    fillUp();
    next();
  }
  let isWanted = false;
  document.addEventListener('visibilitychange', () => look(isWanted));
  return { look, mark };
}
