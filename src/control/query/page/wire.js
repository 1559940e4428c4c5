'use strict';
/* The connection: OSC over a WebSocket, the tree of parameters, and the newest value of each address. */
const $ = id => document.getElementById(id);
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

/* ---- OSC as bytes: one message, the types that the instrument speaks ---- */
const padded = text => {
  const bytes = new TextEncoder().encode(text);
  const out = new Uint8Array((bytes.length + 4) & ~3);
  out.set(bytes);
  return out;
};
function encode(address, tags, values) {
  const parts = [padded(address), padded(',' + tags)];
  [...tags].forEach((tag, i) => {
    if (tag === 's') return parts.push(padded(String(values[i])));
    if (tag !== 'f' && tag !== 'i' && tag !== 'h') return;
    const view = new DataView(new ArrayBuffer(tag === 'h' ? 8 : 4));
    if (tag === 'f') view.setFloat32(0, values[i]);
    if (tag === 'i') view.setInt32(0, values[i]);
    if (tag === 'h') view.setBigInt64(0, BigInt(values[i]));
    parts.push(new Uint8Array(view.buffer));
  });
  return new Blob(parts);
}
function decode(buffer) {
  const view = new DataView(buffer);
  let at = 0;
  const text = () => {
    let end = at;
    while (view.getUint8(end)) end++;
    const read = new TextDecoder().decode(new Uint8Array(buffer, at, end - at));
    at = (end + 4) & ~3;
    return read;
  };
  const address = text(), tags = text().slice(1), values = [];
  for (const tag of tags) {
    if (tag === 'f') { values.push(view.getFloat32(at)); at += 4; }
    else if (tag === 'i') { values.push(view.getInt32(at)); at += 4; }
    else if (tag === 'h') { values.push(Number(view.getBigInt64(at))); at += 8; }
    else if (tag === 's') values.push(text());
    else if (tag === 'T' || tag === 'F') values.push(tag === 'T');
  }
  return [address, values];
}

/* ---- the state that all parts of the page share ---- */
let tree = null;                 // as OSCQuery has it
const nodes = new Map();         // address -> its node
const latest = new Map();        // address -> its newest values
const playing = { STYLES: [], TEMPO_FROM: '', WAITING: [], NOTICES: [], ERRORS: [] };
let names = { PRESETS: [], NUMBERS: [], NETWORKS: [], STYLE_NETWORKS: [] };
/* Each part of the page has one: address -> (values) => shows them. */
const shows = { head: new Map(), play: new Map(), list: new Map() };
/* What the parts do when something has come. */
const when = { tree: [], playing: [], names: [] };
const tell = (what, ...news) => when[what].forEach(act => act(...news));

const heardAt = new Map();       // address -> how many messages had come when it was heard last
let messages = 0;
function hearValue(address, values) {
  latest.set(address, values);
  heardAt.set(address, ++messages);
  if (held.has(address)) return;
  show(address, values);
}
function show(address, values) {
  for (const part of Object.values(shows)) part.get(address)?.(values);
}

/* ---- what is under a finger does not move by itself ---- */
const held = new Map();          // address -> how many fingers, or a timer after the last
function hold(address) {
  const before = held.get(address);
  if (before && before.timer) clearTimeout(before.timer);
  held.set(address, { fingers: (before?.fingers || 0) + 1 });
}
function release(address) {
  const before = held.get(address);
  if (!before) return;
  if (before.fingers > 1) return held.set(address, { fingers: before.fingers - 1 });
  // Older values of this finger may still be on their way back.
  held.set(address, { fingers: 0, timer: setTimeout(() => {
    held.delete(address);
    if (latest.has(address)) show(address, latest.get(address));
  }, 150) });
}
const isTouched = () => [...held.values()].some(hand => hand.fingers > 0);

/* ---- what may be written from here ---- */
const isLocal = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(location.hostname);
/* Why this page may not write to an address; nothing if it may. */
function refusal(address) {
  const remote = nodes.get(address)?.REMOTE;
  if (remote === 'refused') return 'Not from a browser: only with a key, over MIDI or OSC on the machine that plays.';
  if (remote === 'local' && !isLocal) return 'Only on the machine that plays: it writes files there.';
  if (address === '/preset/save' && !isLocal) return 'Presets are saved only on the machine that plays.';
  return '';
}

/* ---- the connection: comes back by itself ---- */
let socket = null, wait = 300;
const pending = new Map();       // address -> bytes; the newest is sent once per frame
let flushing = false;
const isOpen = () => socket && socket.readyState === 1;
function send(address, tags, values = []) {
  latest.set(address, values);
  for (const part of Object.values(shows)) part.get(address)?.(values);
  if (!isOpen()) return;
  pending.set(address, encode(address, tags, values));
  if (flushing) return;
  flushing = true;
  requestAnimationFrame(flush);
}
// Every trigger counts: it is never replaced by a newer one.
function fire(address, tags = '', values = []) {
  if (isOpen()) socket.send(encode(address, tags, values));
}
function flush() {
  flushing = false;
  if (isOpen()) for (const bytes of pending.values()) socket.send(bytes);
  pending.clear();
}
const command = (what, address) => { if (isOpen()) socket.send(JSON.stringify({ COMMAND: what, DATA: address })); };
function connect() {
  socket = new WebSocket(`ws://${location.host}/`);
  socket.binaryType = 'arraybuffer';
  socket.onopen = async () => {
    wait = 300;
    heard.clear();
    fire('/subscribe', 's', ['/']);
    command('LISTEN', '/?PLAYING');
    command('LISTEN', '/audio/level');
    if (thumbs.size) forgetThumbs();
    await Promise.all([load(), findNames()]);
    document.body.classList.remove('off');
    $('state').textContent = 'connected';
  };
  socket.onmessage = event => {
    if (typeof event.data !== 'string') return hearValue(...decode(event.data));
    const { COMMAND, DATA } = JSON.parse(event.data);
    if (COMMAND !== 'PLAYING') return reshape();
    Object.assign(playing, DATA);
    tell('playing', DATA.NOTICES);
  };
  socket.onclose = () => {
    // What was moved without a connection is forgotten: others have gone on.
    pending.clear();
    document.body.classList.add('off');
    $('state').textContent = 'connecting';
    setTimeout(connect, wait = Math.min(wait * 1.6, 3000));
  };
}
let reshaping = 0;
function reshape() {
  clearTimeout(reshaping);
  // A control that is being moved stays where it is.
  reshaping = setTimeout(() => isTouched() ? reshape() : load(), 150);
}
async function load() {
  const before = messages;
  try {
    const answers = await Promise.all([fetch('/', { headers: { Accept: 'application/json' } }), fetch('/?HOST_INFO')]);
    const [root, host] = await Promise.all(answers.map(answer => answer.json()));
    tree = root;
    $('port').textContent = host.OSC_PORT || 'none';
    nodes.clear();
    const walk = node => {
      if (node.TYPE) nodes.set(node.FULL_PATH, node);
      Object.values(node.CONTENTS || {}).forEach(walk);
    };
    walk(tree);
    // What was heard while the tree was on its way is newer.
    const isOld = address => (heardAt.get(address) || 0) <= before && !held.has(address);
    for (const [address, node] of nodes) if (node.VALUE && isOld(address)) latest.set(address, node.VALUE);
    tell('tree');
    hear();
    for (const [address, values] of latest) if (isOld(address)) show(address, values);
  } catch (problem) {
    // The socket comes back and asks again.
    if (isOpen()) setTimeout(load, 1000);
  }
}
async function findNames() {
  try {
    const answer = await fetch('/?NAMES');
    if (!answer.ok) return;
    const found = await answer.json();
    if (JSON.stringify(found) === JSON.stringify(names)) return;
    names = found;
    tell('names');
  } catch { /* asked again later */ }
}

/* ---- what modulators move: pushed for the controls that are on the screen, and only for those ---- */
const moved = { play: new Set(), list: new Set() };
const heard = new Set();         // those that the instrument sends now
let tab = 'play';
function hear() {
  if (!isOpen()) return;
  const wanted = document.hidden ? new Set() : moved[tab] || new Set();
  for (const address of heard) if (!wanted.has(address)) { command('IGNORE', address + '?EFFECTIVE'); heard.delete(address); }
  for (const address of wanted) if (!heard.has(address)) { command('LISTEN', address + '?EFFECTIVE'); heard.add(address); }
}
document.addEventListener('visibilitychange', hear);

/* ---- small things that all parts use ---- */
const digits = (min, max) => max - min <= 10 ? 2 : max - min <= 1000 ? 1 : 0;
function said(line, ms = 2500) {
  $('said').textContent = line;
  $('said').className = 'on';
  clearTimeout(said.timer);
  said.timer = setTimeout(() => $('said').className = '', ms);
}
function flash(button) {
  button.classList.add('flash');
  setTimeout(() => button.classList.remove('flash'), 140);
}
/* Long words may break where there is little room. */
const soft = words => words.replace(/[^\s\u00ad]{8,}/g, word => `${word.slice(0, 4)}\u00ad${word.slice(4)}`);
/* Whether a name of a preset means the same with and without its number. */
const bare = name => String(name).replace(/^\d+[-_ ]/, '');
const remember = (key, value) => { try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* private mode */ } };
function remembered(key, otherwise) {
  try { return JSON.parse(localStorage.getItem(key)) ?? otherwise; } catch { return otherwise; }
}
