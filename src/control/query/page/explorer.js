'use strict';
/* The explorer's tab: pictures of the network that plays. Nothing of it is there before somebody opens it. */
const gallery = (() => {
  let explorer_, opening;
  const value = address => latest.get(address)?.[0];
  /* The explorer of `latent-jockey explore`, from the instrument. */
  function fetched() {
    document.head.append(make('link', { rel: 'stylesheet', href: '/explore/explore.css' }));
    return new Promise((done, fail) => document.head.append(make('script', { src: '/explore/explore.js', onload: done, onerror: fail })));
  }
  async function open() {
    try {
      await fetched();
      explorer_ = explorer($('explore'), { base: '/explore/', begin, play, refusal: mayNotStar, follows: true });
      if (nodes.has('/seed')) explorer_.mark(Number(value('/seed')));
      explorer_.look(tab === 'explore' && isOpen());
    } catch {
      opening = null;
      said('The explorer cannot be opened: the instrument does not send it.', 4000);
    }
  }
  const begin = () => ({ psi: value('/psi'), class: value('/class') });
  const mayNotStar = () => isLocal ? '' : 'Stars are kept only on the machine that plays.';
  const put = (address, now, tags = 'f') => { if (nodes.has(address) && value(address) !== now) send(address, tags, [now]); };
  /* The seed, and all that the grid was made with. What the grid does not know stays: bends, effects, the style. */
  function play({ seed, psi, class: cls, along, around }) {
    // A track of keys leads elsewhere.
    if (value('/walk/kind') === 'keys') put('/walk/kind', 'hold', 's');
    put('/psi', psi);
    if (cls !== null) put('/class', cls);
    const whole = number => number > 0x7fffffff ? 'h' : 'i';
    for (const address of nodes.keys()) {
      if (/^\/class\/mix\/\d+$/.test(address)) put(address, 0);
      if (/^\/dir\/[^/]+$/.test(address)) put(address, along && address === `/dir/${along.name}` ? along.amount : 0);
    }
    if (around) {
      put('/mix/walk/kind', 'hold', 's');
      put('/mix/zone', 'range', 's');
      put('/mix/from', 0, 'i');
      put('/mix/to', nodes.get('/mix/to')?.RANGE?.[0]?.MAX ?? 0, 'i');
      fire('/mix/seed', whole(around.seed), [around.seed]);
    }
    put('/mix/amount', around ? 1 - around.radius : 0);
    // The walk may have left this seed.
    if (value('/seed') === seed) fire('/walk/restart');
    else fire('/seed', whole(seed), [seed]);
  }
  shows.head.set('/seed', ([seed]) => explorer_?.mark(Number(seed)));
  return {
    look(on) {
      if (on) opening ??= open();
      explorer_?.look(on && isOpen());
    },
  };
})();
