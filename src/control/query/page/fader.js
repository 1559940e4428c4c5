'use strict';
/* Faders and the pad: what is played with fingers. Each finger holds one of them, wherever it goes. */

/* How far from the top of its bar a finger still takes hold of a fader; further away the bar jumps to the finger. */
const GRIP = 30;
/* Two taps within this time and distance are a double tap. */
const DOUBLE_MS = 320, DOUBLE_PX = 24;

const clamp = (value, min, max) => Math.min(max, Math.max(min, value));
const shown = (value, min, max) => Number(value).toFixed(digits(min, max));

/* Tells a double tap from two taps. */
function doubles() {
  let last = null;
  return event => {
    const is = last && event.timeStamp - last.at < DOUBLE_MS && Math.hypot(event.clientX - last.x, event.clientY - last.y) < DOUBLE_PX;
    last = is ? null : { at: event.timeStamp, x: event.clientX, y: event.clientY };
    return is;
  };
}

/* A fader for the number at an address. `label` is what stands above it, `targets` what it moves if it is a macro. */
function fader(address, label, targets = []) {
  const node = nodes.get(address), { MIN: min = 0, MAX: max = 1 } = (node.RANGE || [])[0] || {};
  const usual = node.DEFAULT ? node.DEFAULT[0] : min, span = max - min;
  const name = make('span', { className: 'name', textContent: soft(label) });
  const output = make('output');
  const bar = make('div', { className: 'bar' }, make('i', { className: 'fill' }), make('i', { className: 'mark' }));
  const element = make('div', { className: 'fader', role: 'slider', tabIndex: 0, ariaLabel: label, ariaValueMin: min, ariaValueMax: max, title: targets.length ? `${address} moves ${targets.join(', ')}` : address }, name, bar, output);
  element.dataset.address = address;
  element.setAttribute('aria-orientation', 'vertical');
  let value = usual;
  const write = to => send(address, 'f', [clamp(to, min, max)]);
  shows.play.set(address, ([now]) => {
    value = now;
    bar.style.setProperty('--at', clamp((now - min) / span, 0, 1));
    element.ariaValueNow = now;
    if (targets.length !== 1) word(shown(now, min, max));
  });
  const word = text => { output.textContent = text; element.ariaValueText = text; };
  // One that moves a single number shows that.
  if (targets.length === 1) {
    const { MIN = 0, MAX = 1 } = (nodes.get(targets[0]).RANGE || [])[0] || {};
    const before = shows.play.get(targets[0]);
    shows.play.set(targets[0], values => { before?.(values); word(typeof values[0] === 'number' ? shown(values[0], MIN, MAX) : String(values[0])); });
    if (latest.has(targets[0])) shows.play.get(targets[0])(latest.get(targets[0]));
  }
  if (latest.has(address)) shows.play.get(address)(latest.get(address));

  if (node.EFFECTIVE) {
    element.classList.add('moved');
    const place = ([now]) => bar.style.setProperty('--now', clamp((now - min) / span, 0, 1));
    shows.play.set('/effective' + address, place);
    place(node.EFFECTIVE);
    moved.play.add(address);
  }

  // One that does nothing with what plays is greyed, and says why when it is touched.
  const idle = (targets.length ? targets : [address]).map(to => nodes.get(to)?.IDLE);
  const why = idle.every(Boolean) ? idle[0] : '';
  element.classList.toggle('idle', Boolean(why));
  if (why) element.title += `\n${why}`;

  let finger = null;             // { id, y, value }: where it took hold, and the value then
  const isDouble = doubles();
  // A macro goes where what it moves is reset to.
  const reset = () => {
    const known = targets.filter(target => nodes.get(target)?.DEFAULT);
    for (const target of known) send(target, nodes.get(target).TYPE, nodes.get(target).DEFAULT);
    if (!known.length) write(usual);
  };
  element.onpointerdown = event => {
    if (finger || event.button > 0) return;
    event.preventDefault();
    element.focus({ preventScroll: true });
    if (why) said(`${label}: ${why}`);
    if (isDouble(event)) return reset();
    element.setPointerCapture(event.pointerId);
    element.classList.add('held');
    hold(address);
    const box = bar.getBoundingClientRect();
    const top = box.bottom - (value - min) / span * box.height;
    if (Math.abs(event.clientY - top) > GRIP) write(min + (box.bottom - event.clientY) / box.height * span);
    finger = { id: event.pointerId, y: event.clientY, value };
  };
  element.onpointermove = event => {
    if (finger?.id !== event.pointerId) return;
    const height = bar.getBoundingClientRect().height * (event.shiftKey ? 8 : 1);
    const to = clamp(finger.value - (event.clientY - finger.y) / height * span, min, max);
    write(to);
    // Beyond the end the finger takes the fader along when it comes back.
    finger = { id: finger.id, y: event.clientY, value: to };
  };
  element.onpointerup = element.onpointercancel = element.onlostpointercapture = event => {
    if (finger?.id !== event.pointerId) return;
    finger = null;
    element.classList.remove('held');
    release(address);
  };
  element.oncontextmenu = event => event.preventDefault();
  element.onkeydown = event => {
    const step = span / (event.shiftKey ? 1000 : 100);
    const to = {
      ArrowUp: value + step, ArrowRight: value + step, ArrowDown: value - step, ArrowLeft: value - step,
      PageUp: value + span / 10, PageDown: value - span / 10, Home: min, End: max,
    }[event.key];
    if (event.key === 'Delete' || event.key === 'Backspace') reset();
    if (to === undefined) return;
    event.preventDefault();
    write(to);
  };
  return element;
}

/* The pad: two numbers at once. `axes()` are the addresses across and up. */
function playPad(axes) {
  const pad = $('pad'), isDouble = doubles();
  const about = address => {
    const node = nodes.get(address), { MIN: min = 0, MAX: max = 1 } = (node?.RANGE || [])[0] || {};
    return { address, min, max, span: max - min, usual: node?.DEFAULT ? node.DEFAULT[0] : min, value: latest.get(address)?.[0] ?? min };
  };
  const both = () => axes().map(about);
  const write = (axis, part) => send(axis.address, 'f', [axis.min + clamp(part, 0, 1) * axis.span]);
  const paint = () => {
    const [x, y] = both();
    pad.style.setProperty('--x', clamp((x.value - x.min) / x.span, 0, 1));
    pad.style.setProperty('--y', clamp((y.value - y.min) / y.span, 0, 1));
    pad.ariaLabel = `${x.address} across, ${y.address} up`;
    pad.ariaValueText = both().map(axis => `${axis.address} ${shown(axis.value, axis.min, axis.max)}`).join(', ');
    pad.ariaValueNow = x.value;
    pad.ariaValueMin = x.min;
    pad.ariaValueMax = x.max;
  };
  let finger = null;
  const follow = event => {
    const box = pad.getBoundingClientRect(), [x, y] = both();
    write(x, (event.clientX - box.left) / box.width);
    write(y, (box.bottom - event.clientY) / box.height);
  };
  pad.onpointerdown = event => {
    if (finger !== null || event.button > 0) return;
    event.preventDefault();
    pad.focus({ preventScroll: true });
    if (isDouble(event)) return both().forEach(axis => send(axis.address, 'f', [axis.usual]));
    finger = { id: event.pointerId, axes: axes() };
    pad.setPointerCapture(event.pointerId);
    pad.classList.add('held');
    finger.axes.forEach(hold);
    follow(event);
  };
  pad.onpointermove = event => { if (finger?.id === event.pointerId) follow(event); };
  pad.onpointerup = pad.onpointercancel = pad.onlostpointercapture = event => {
    if (finger?.id !== event.pointerId) return;
    finger.axes.forEach(release);
    finger = null;
    pad.classList.remove('held');
  };
  pad.oncontextmenu = event => event.preventDefault();
  pad.onkeydown = event => {
    const by = event.shiftKey ? 0.001 : 0.01;
    const step = { ArrowRight: [by, 0], ArrowLeft: [-by, 0], ArrowUp: [0, by], ArrowDown: [0, -by] }[event.key];
    if (event.key === 'Delete' || event.key === 'Backspace') both().forEach(axis => send(axis.address, 'f', [axis.usual]));
    if (!step) return;
    event.preventDefault();
    both().forEach((axis, i) => { if (step[i]) write(axis, (axis.value - axis.min) / axis.span + step[i]); });
  };
  return paint;
}
