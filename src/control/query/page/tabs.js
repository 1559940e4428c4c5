'use strict';
/* The header, the pages, the log, and the small picture. */

/* ---- tabs ---- */
const TABS = ['play', 'list', 'explore', 'log'];
function go(to) {
  tab = TABS.includes(to) ? to : 'play';
  document.body.dataset.tab = tab;
  for (const name of TABS) {
    $(name).hidden = name !== tab;
    $('tab-' + name).setAttribute('aria-selected', String(name === tab));
    $('tab-' + name).tabIndex = name === tab ? 0 : -1;
  }
  if (tab === 'list' && isStale) rebuild();
  if (tab === 'log') { unread = 0; $('unread').hidden = true; }
  if (tab === 'play') findNames();
  gallery.look(tab === 'explore');
  hear();
}
for (const name of TABS) $('tab-' + name).onclick = () => { location.hash = name; };
$('tabs').onkeydown = event => {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!by) return;
  const next = TABS[(TABS.indexOf(tab) + by + TABS.length) % TABS.length];
  location.hash = next;
  $('tab-' + next).focus();
};
addEventListener('hashchange', () => go(location.hash.slice(1)));
addEventListener('keydown', event => {
  const isTyping = /INPUT|TEXTAREA|SELECT/.test(document.activeElement.tagName);
  if (event.key === '/' && !isTyping) { event.preventDefault(); location.hash = 'list'; setTimeout(() => $('search').focus()); }
  if (event.key === 'Escape' && !$('save').open) {
    if ($('search').value) { $('search').value = ''; if (tree) build(); }
    document.activeElement.blur();
  }
});

/* ---- tempo, beat, level, rate ---- */
shows.head.set('/beat', ([beat]) => [...$('beats').children].forEach((dot, i) => dot.className = ((beat % 4) + 4) % 4 === i ? 'on' : ''));
shows.head.set('/fps', ([fps]) => $('fps').textContent = fps.toFixed(0));
shows.head.set('/tempo', ([bpm]) => $('bpm').textContent = bpm.toFixed(1));
shows.head.set('/audio/level', ([level]) => {
  // Without sound there is no meter.
  if (level > 0) $('level').hidden = false;
  $('level').style.setProperty('--at', Math.min(1, level));
});
when.playing.push(() => { $('tempo-from').textContent = `bpm${playing.TEMPO_FROM ? ' ' + playing.TEMPO_FROM : ''}`; });

/* ---- errors: until they are mended, or somebody has read them ---- */
when.playing.push(() => {
  const errors = playing.ERRORS;
  $('errors').hidden = !errors.length;
  $('error-lines').replaceChildren(...[...errors].reverse().map(line => make('p', { textContent: line })));
});
$('errors-read').onclick = () => fire('/error/read');

/* ---- the log ---- */
let unread = 0, lastNotice = 0, asking;
const MOST_LINES = 200;
when.playing.push(news => {
  const isFirst = lastNotice === 0;
  // A show that was started again counts from 1.
  if (news.length && news[news.length - 1][0] < lastNotice) { lastNotice = 0; $('lines').replaceChildren(); }
  const newest = news.length ? news[news.length - 1][1] : 0;
  let hasNames = false;
  for (const [number, at, line] of news) {
    if (number <= lastNotice) continue;
    lastNotice = number;
    // Lines from before this page was open: so long before the newest of them.
    const time = new Date(Date.now() - (isFirst ? (newest - at) * 1000 : 0));
    $('lines').prepend(make('li', {}, make('time', { textContent: time.toTimeString().slice(0, 8) }), make('span', { textContent: line })));
    if (!isFirst && tab !== 'log') { unread++; said(line, 4000); }
    hasNames ||= !isFirst && /preset|saved|network/.test(line);
  }
  if (hasNames) {
    clearTimeout(asking);
    asking = setTimeout(() => { findNames(); forgetThumbs(); }, 2100);
  }
  while ($('lines').children.length > MOST_LINES) $('lines').lastChild.remove();
  $('no-lines').hidden = lastNotice > 0;
  $('unread').hidden = !unread;
  $('unread').textContent = unread > 99 ? '99+' : unread;
});

/* ---- the picture: one after the other, only while somebody looks at it ---- */
async function look() {
  const started = performance.now();
  let pause = 80;
  try {
    if (!document.hidden && tab !== 'log' && tab !== 'explore') {
      const answer = await fetch('/?PICTURE');
      if (answer.status === 200) {
        const image = $(tab === 'list' ? 'picture' : 'look');
        const url = URL.createObjectURL(await answer.blob()), old = image.src;
        image.src = url;
        if (old.startsWith('blob:')) URL.revokeObjectURL(old);
      } else pause = 500;
    } else pause = 300;
  } catch {
    pause = 1000;
  }
  setTimeout(look, Math.max(0, pause - (performance.now() - started)));
}
setInterval(() => { if (isOpen() && !document.hidden && tab === 'play') findNames(); }, 20000);
go(location.hash.slice(1));
connect();
look();
