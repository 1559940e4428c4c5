//! Patterns: the mini-notation of TidalCycles, `"67 8 [3 85] ~"`, as values over cycles.
//!
//! A pattern is parsed once, and [`Pattern::cycle`] lists the events of one cycle. Time is in exact fractions of a cycle.
//! What is random (`?` and `|`) is a function of seed, cycle and position, so that a take replays exactly. Written from
//! the notation's description; it differs from Tidal and Strudel where they differ from each other (a rotation `(3,8,2)`
//! turns the rhythm earlier, as in Tidal) and where they fail silently (a speed of 0 is an error).

mod fraction;
mod parse;

use std::sync::Arc;

pub use fraction::Fraction;
pub use parse::PatternError;

use super::lfo::noise;

/// Maximum number of events in a cycle.
pub const MAX_EVENTS: usize = 4096;
/// Maximum number of steps of the computation of a cycle: rests cost time too.
const MAX_WORK: u32 = 65_536;
/// Maximum number of steps of a rhythm `(k,n)`.
const MAX_STEPS: usize = 256;

/// A parsed pattern. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pattern {
    root: Arc<Node>,
    /// Every different number and word, in order of appearance.
    values: Arc<[Atom]>,
}

/// Patterns are compared by what they were parsed into.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.root, &other.root) || (self.root == other.root && self.values == other.values)
    }
}

/// What a step of a pattern holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Atom {
    Number(f64),
    Word(String),
}

/// A value and its time in cycles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// The index in [`Pattern::values`].
    pub value: usize,
    /// The event's own begin and end, which may lie outside the cycle.
    pub whole: [Fraction; 2],
    /// The part within the cycle.
    pub part: [Fraction; 2],
    /// Its place in the text's order, among events that begin together.
    order: usize,
}

impl Event {
    /// Whether the event begins here, and not in an earlier cycle.
    pub fn is_onset(&self) -> bool {
        self.whole[0] == self.part[0]
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Rest,
    Atom(usize),
    /// Shares the cycle by weight.
    Sequence(Vec<Step>),
    /// All at the same time.
    Stack(Vec<Node>),
    /// One per cycle, at random.
    Random(Vec<Node>, u64),
    /// Faster than the cycle.
    Fast(Box<Node>, Factor),
    Slow(Box<Node>, Factor),
    /// Each sequence and its number of steps, and how many steps a cycle has.
    Polymeter(Vec<(Node, Fraction)>, Factor),
    /// Pulses, steps and rotation.
    Euclid(Box<Node>, [Factor; 3]),
    /// Drops events with this probability.
    Degrade(Box<Node>, f64, u64),
}

#[derive(Clone, Debug, PartialEq)]
struct Step {
    node: Node,
    weight: Fraction,
}

/// The argument of a modifier: a number, or a pattern of them that is read at the start of each cycle.
#[derive(Clone, Debug, PartialEq)]
enum Factor {
    Fixed(Fraction),
    /// The numbers are in the list, by value.
    Varying(Box<Node>, Vec<Fraction>),
}

/// A query in progress.
struct Query<'a> {
    seed: u64,
    work: u32,
    emit: &'a mut dyn FnMut(Event),
    count: usize,
}

impl Pattern {
    /// # Errors
    /// When the text is not a pattern, with the place; also when its first cycle has too many events.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        let pattern = parse::parse(text)?;
        let mut events = Vec::new();
        // Parse-time errors are better than silence on some later cycle.
        if !(0..4).all(|cycle| pattern.cycle(cycle, 0, &mut events)) {
            return Err(PatternError::TooMany);
        }
        Ok(pattern)
    }

    /// A sequence of words, for names with spaces in them.
    pub fn of_words(words: &[String]) -> Pattern {
        let steps = (0..words.len()).map(|i| Step { node: Node::Atom(i), weight: Fraction::ONE }).collect();
        Pattern {
            root: Arc::new(if words.is_empty() { Node::Rest } else { Node::Sequence(steps) }),
            values: words.iter().map(|word| Atom::Word(word.clone())).collect(),
        }
    }

    /// Every different number and word, in order of appearance.
    pub fn values(&self) -> &[Atom] {
        &self.values
    }

    /// Fills `events` with the events of cycle `[cycle, cycle + 1)`, sorted by the begin of their parts. False if there
    /// are too many; the list is then incomplete. Reuses the capacity of `events`.
    pub fn cycle(&self, cycle: i64, seed: u64, events: &mut Vec<Event>) -> bool {
        events.clear();
        let span = [Fraction::whole(cycle), Fraction::whole(cycle.saturating_add(1))];
        let mut query = Query { seed, work: MAX_WORK, emit: &mut |event| events.push(event), count: 0 };
        let complete = self.root.query(span, &mut query).is_some();
        // What is written later lies on top. A stable sort would allocate.
        events.sort_unstable_by_key(|event| (event.part[0], event.order));
        complete
    }
}

/// A pattern that plays: expands each cycle once, when it begins.
#[derive(Clone, Debug)]
pub struct Player {
    pattern: Pattern,
    seed: u64,
    cycle: Option<i64>,
    events: Vec<Event>,
    /// The begins and ends of the events, in cycles.
    spans: Vec<[f64; 2]>,
    /// The event that played last: its cycle and index.
    last: Option<(i64, usize)>,
}

impl Player {
    pub fn new(pattern: Pattern, seed: u64) -> Player {
        // Room for the cycles that follow, usually.
        let mut events = Vec::new();
        pattern.cycle(0, seed, &mut events);
        events.reserve(events.len() + 8);
        let spans = Vec::with_capacity(events.capacity());
        Player { pattern, seed, cycle: None, events, spans, last: None }
    }

    /// Continues from where another player is, if it plays the same.
    pub fn go_on_from(&mut self, other: &Player) {
        self.last = other.last.filter(|_| self.pattern == other.pattern);
    }

    /// The index of the value at a position in cycles, `None` during a rest; and whether its step has just begun.
    pub fn at(&mut self, position: f64) -> (Option<usize>, bool) {
        let cycle = position.floor() as i64;
        if self.cycle != Some(cycle) {
            self.pattern.cycle(cycle, self.seed, &mut self.events);
            self.spans.clear();
            self.spans.extend(self.events.iter().map(|event| event.part.map(Fraction::to_f64)));
            self.cycle = Some(cycle);
        }
        let begun = self.spans.partition_point(|span| span[0] <= position + 1e-9);
        let Some(i) = (0..begun).rev().find(|&i| position < self.spans[i][1] - 1e-9) else { return (None, false) };
        let is_new = self.last.replace((cycle, i)) != Some((cycle, i));
        (Some(self.events[i].value), is_new && self.events[i].is_onset())
    }
}

impl Query<'_> {
    fn charge(&mut self) -> Option<()> {
        self.work = self.work.checked_sub(1)?;
        Some(())
    }

    fn emit(&mut self, value: usize, whole: [Fraction; 2], part: [Fraction; 2]) -> Option<()> {
        let event = Event { value, whole, part, order: self.count };
        self.count += 1;
        (self.count <= MAX_EVENTS).then(|| (self.emit)(event))
    }

    /// A query whose events go through `emit` first; work and events count for both.
    fn through(
        &mut self,
        node: &Node,
        span: [Fraction; 2],
        change: impl Fn(Event) -> Option<Option<Event>>,
    ) -> Option<()> {
        let mut has_failed = false;
        let seed = self.seed;
        let (work, count) = {
            let outer = &mut *self.emit;
            let mut emit = |event| match change(event) {
                Some(Some(event)) => outer(event),
                Some(None) => {}
                None => has_failed = true,
            };
            let mut inner = Query { seed, work: self.work, emit: &mut emit, count: self.count };
            node.query(span, &mut inner)?;
            (inner.work, inner.count)
        };
        (self.work, self.count) = (work, count);
        (!has_failed).then_some(())
    }
}

fn clip(a: [Fraction; 2], b: [Fraction; 2]) -> Option<[Fraction; 2]> {
    let both = [a[0].max(b[0]), a[1].min(b[1])];
    (both[0] < both[1]).then_some(both)
}

/// Maps an event's times by `f`.
fn mapped(event: Event, f: impl Fn(Fraction) -> Option<Fraction>) -> Option<Event> {
    let both = |[a, b]: [Fraction; 2]| Some([f(a)?, f(b)?]);
    Some(Event { whole: both(event.whole)?, part: both(event.part)?, ..event })
}

impl Node {
    /// Emits the events that touch `span`. `None` when there is too much to do, or a fraction overflows.
    fn query(&self, span: [Fraction; 2], query: &mut Query) -> Option<()> {
        query.charge()?;
        match self {
            Node::Rest => Some(()),
            Node::Atom(value) => cycles(span, |_, whole, part| {
                query.charge()?;
                query.emit(*value, whole, part)
            }),
            Node::Sequence(steps) => sequence(steps, span, query),
            Node::Stack(nodes) => nodes.iter().try_for_each(|node| node.query(span, query)),
            Node::Random(nodes, position) => cycles(span, |cycle, _, part| {
                let chance = noise(query.seed ^ position.wrapping_mul(0x9e37_79b9), cycle);
                let i = (chance * nodes.len() as f64) as usize;
                nodes[i.min(nodes.len() - 1)].query(part, query)
            }),
            Node::Fast(node, factor) => {
                factor.each(span, query, |factor, part, query| scaled(node, factor, part, query))
            }
            Node::Slow(node, factor) => {
                factor.each(span, query, |factor, part, query| scaled(node, Fraction::ONE.over(factor)?, part, query))
            }
            Node::Polymeter(sequences, steps) => steps.each(span, query, |steps, part, query| {
                sequences.iter().try_for_each(|(node, length)| scaled(node, steps.over(*length)?, part, query))
            }),
            Node::Euclid(node, factors) => euclid(node, factors, span, query),
            Node::Degrade(node, probability, position) => {
                let (seed, position, probability) = (query.seed, *position, *probability);
                query.through(node, span, |event| {
                    let begin = event.whole[0];
                    let cycle = begin.floor();
                    let place = begin.minus(Fraction::whole(cycle))?.to_f64();
                    let salt = seed ^ position.wrapping_mul(0x9e37_79b9) ^ place.to_bits();
                    Some((noise(salt, cycle) >= probability).then_some(event))
                })
            }
        }
    }
}

/// Calls `f` for each cycle that touches `span`, with the cycle and the part of it within the span.
fn cycles(span: [Fraction; 2], mut f: impl FnMut(i64, [Fraction; 2], [Fraction; 2]) -> Option<()>) -> Option<()> {
    let mut cycle = span[0].floor();
    while Fraction::whole(cycle) < span[1] {
        let whole = [Fraction::whole(cycle), Fraction::whole(cycle + 1)];
        if let Some(part) = clip(whole, span) {
            f(cycle, whole, part)?;
        }
        cycle += 1;
    }
    Some(())
}

/// `factor` times as fast.
fn scaled(node: &Node, factor: Fraction, span: [Fraction; 2], query: &mut Query) -> Option<()> {
    if !factor.is_positive() {
        return Some(());
    }
    let inner = [span[0].times(factor)?, span[1].times(factor)?];
    query.through(node, inner, |event| Some(Some(mapped(event, |t| t.over(factor))?)))
}

/// Each step has its share of every cycle, and its own cycles are those of the sequence.
fn sequence(steps: &[Step], span: [Fraction; 2], query: &mut Query) -> Option<()> {
    let mut total = Fraction::ZERO;
    for step in steps {
        total = total.plus(step.weight)?;
    }
    if !total.is_positive() {
        return Some(());
    }
    cycles(span, |cycle, _, part| {
        let start = Fraction::whole(cycle);
        let mut from = Fraction::ZERO;
        for step in steps {
            query.charge()?;
            let to = from.plus(step.weight)?;
            let slot = [start.plus(from.over(total)?)?, start.plus(to.over(total)?)?];
            from = to;
            let Some(seen) = clip(slot, part) else { continue };
            let share = step.weight.over(total)?;
            let inner = |t: Fraction| t.minus(slot[0])?.over(share)?.plus(start);
            let outer = |t: Fraction| t.minus(start)?.times(share)?.plus(slot[0]);
            query.through(&step.node, [inner(seen[0])?, inner(seen[1])?], |event| Some(Some(mapped(event, outer)?)))?;
        }
        Some(())
    })
}

/// The rhythm's pulses, with the values that `node` has where they begin.
fn euclid(node: &Node, factors: &[Factor; 3], span: [Fraction; 2], query: &mut Query) -> Option<()> {
    cycles(span, |cycle, _, part| {
        let mut number = |factor: &Factor| factor.at(cycle, query).map(Fraction::floor);
        let (pulses, steps, rotation) = (number(&factors[0])?, number(&factors[1])?, number(&factors[2])?);
        if steps < 1 || steps > MAX_STEPS as i64 || pulses.abs() > steps {
            return Some(());
        }
        let on = bjorklund(pulses.unsigned_abs() as usize, steps as usize);
        for i in 0..steps {
            query.charge()?;
            if on[(i + rotation).rem_euclid(steps) as usize] == (pulses < 0) {
                continue;
            }
            let at = |i: i64| Fraction::whole(cycle).plus(Fraction::new(i.into(), steps.into())?);
            let whole = [at(i)?, at(i + 1)?];
            let Some(seen) = clip(whole, part) else { continue };
            query.through(node, whole, |event| {
                let is_here = event.part[0] <= whole[0] && whole[0] < event.part[1];
                Some(is_here.then_some(Event { whole, part: seen, ..event }))
            })?;
        }
        Some(())
    })
}

/// `pulses` spread over `steps` as evenly as possible (Toussaint, "The Euclidean algorithm generates traditional musical
/// rhythms", 2005), beginning with a pulse.
fn bjorklund(pulses: usize, steps: usize) -> [bool; MAX_STEPS] {
    // There are never more than two kinds of groups: what was joined in the last round, and what was left over.
    let (mut head, mut tail) = (Group::of(true, pulses), Group::of(false, steps - pulses));
    while head.count.min(tail.count) > 1 {
        let pairs = head.count.min(tail.count);
        let rest = if head.count > pairs {
            Group { count: head.count - pairs, ..head }
        } else {
            Group { count: tail.count - pairs, ..tail }
        };
        head.len = head.push(&tail.steps[..tail.len]);
        head.count = pairs;
        tail = rest;
    }
    let (mut all, mut at) = ([false; MAX_STEPS], 0);
    for group in [head, tail] {
        for _ in 0..group.count {
            all[at..at + group.len].copy_from_slice(&group.steps[..group.len]);
            at += group.len;
        }
    }
    all
}

/// Equal runs of steps in the algorithm of Bjorklund.
#[derive(Clone, Copy)]
struct Group {
    steps: [bool; MAX_STEPS],
    len: usize,
    count: usize,
}

impl Group {
    fn of(step: bool, count: usize) -> Group {
        Group { steps: [step; MAX_STEPS], len: 1, count }
    }

    /// Appends steps; returns the new length.
    fn push(&mut self, more: &[bool]) -> usize {
        self.steps[self.len..self.len + more.len()].copy_from_slice(more);
        self.len + more.len()
    }
}

impl Factor {
    /// The factor in a cycle; 0 where the pattern of factors rests.
    fn at(&self, cycle: i64, query: &mut Query) -> Option<Fraction> {
        match self {
            Factor::Fixed(factor) => Some(*factor),
            Factor::Varying(node, numbers) => {
                let start = Fraction::whole(cycle);
                let mut found = None;
                let mut emit = |event: Event| {
                    if event.part[0] == start {
                        found = found.or(Some(event.value));
                    }
                };
                let span = [start, Fraction::whole(cycle + 1)];
                let mut inner = Query { seed: query.seed, work: query.work, emit: &mut emit, count: 0 };
                node.query(span, &mut inner)?;
                query.work = inner.work;
                Some(found.and_then(|value| numbers.get(value).copied()).unwrap_or(Fraction::ZERO))
            }
        }
    }

    /// Calls `f` with the factor of each cycle of `span`; once if it does not change.
    fn each(
        &self,
        span: [Fraction; 2],
        query: &mut Query,
        mut f: impl FnMut(Fraction, [Fraction; 2], &mut Query) -> Option<()>,
    ) -> Option<()> {
        match self {
            Factor::Fixed(factor) => f(*factor, span, query),
            Factor::Varying(..) => cycles(span, |cycle, _, part| {
                let factor = self.at(cycle, query)?;
                f(factor, part, query)
            }),
        }
    }
}

#[cfg(test)]
mod test;
