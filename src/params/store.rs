//! The values of a running show: base, smoothed value and modulation.

use std::collections::HashMap;
use std::sync::Arc;

use super::value::{Value, WriteError, Written};
use super::{Choice, Def, Id, Kind, MAX_DIM, Meaning, Table, TableError, Target, told_names};

/// One number of the running show.
#[derive(Clone, Copy, Debug)]
struct Cell {
    /// The last value written.
    base: f64,
    /// The base after smoothing.
    smoothed: f64,
    /// Added to the base's position in the knob's 0..1 travel.
    modulation: f64,
    /// Added likewise by macros that are modulated.
    carried: f64,
    /// Time constant with which it follows the base, in seconds; 0 follows at once.
    smoothing_secs: f64,
    /// Replaces the base while a script's signal is bound to it.
    bound: Option<f64>,
    /// Whether it is in [`Params::moving`].
    is_moving: bool,
}

/// The values of a running show.
///
/// Writes go to the base; [`Params::step`] moves the smoothed values towards it. [`Params::modulate`] is for LFOs,
/// audio and scripts and never touches the base.
///
/// Rows come and go with [`Params::set_table`]. A row that is removed and added again keeps its value.
#[derive(Clone, Debug)]
pub struct Params {
    table: Arc<Table>,
    cells: Vec<Cell>,
    /// First cell of each id that was ever in the table, by [`Id::index`].
    first: Vec<Option<usize>>,
    texts: HashMap<Id, String>,
    vectors: HashMap<Id, Vec<f32>>,
    fired: Vec<Id>,
    /// Cells whose smoothed value has not reached the base yet.
    moving: Vec<(Target, usize)>,
    /// The last row of each address that was added at run time.
    last_at: HashMap<&'static str, Id>,
    /// The targets modulated in this frame.
    modulated: Vec<Target>,
    /// The targets that macros have moved in this frame.
    carried: Vec<Target>,
    /// The targets that scripts have bound.
    bound: Vec<Target>,
    /// Time constants that are not those of the rows.
    smoothing: Vec<(Target, f64)>,
    /// What the networks that play make of some numbers. A change makes a new list.
    meanings: Arc<[Meaning]>,
}

impl Default for Params {
    /// The built-in rows with their defaults.
    fn default() -> Self {
        Params::new(Table::built_in().clone())
    }
}

impl Params {
    /// The rows of a table with their defaults.
    pub fn new(table: Arc<Table>) -> Self {
        let mut params = Params {
            table: table.clone(),
            cells: Vec::new(),
            first: Vec::new(),
            texts: HashMap::new(),
            vectors: HashMap::new(),
            fired: Vec::with_capacity(64),
            moving: Vec::with_capacity(MAX_DIM),
            last_at: HashMap::new(),
            modulated: Vec::new(),
            carried: Vec::new(),
            bound: Vec::new(),
            smoothing: Vec::new(),
            meanings: Arc::default(),
        };
        params.set_table(table);
        params
    }

    /// The built-in rows without any values: what is left in a place from which the values were moved. Allocates nothing.
    pub fn hollow() -> Self {
        Params {
            table: Table::built_in().clone(),
            cells: Vec::new(),
            first: Vec::new(),
            texts: HashMap::new(),
            vectors: HashMap::new(),
            fired: Vec::new(),
            moving: Vec::new(),
            last_at: HashMap::new(),
            modulated: Vec::new(),
            carried: Vec::new(),
            bound: Vec::new(),
            smoothing: Vec::new(),
            meanings: Arc::default(),
        }
    }

    /// Sets what the networks that play make of a number: how many values it has, their names, and whose they are. With 0
    /// values it is as in the table.
    pub fn set_meaning(&mut self, meaning: Meaning) {
        let id = meaning.id;
        let new = Some(meaning).filter(|new| new.count > 0);
        if self.meaning(id) != new.as_ref() {
            let others = self.meanings.iter().filter(|known| known.id != id).cloned();
            self.meanings = others.chain(new).collect();
        }
    }

    /// A number is as in the table.
    pub fn clear_meaning(&mut self, id: Id) {
        self.set_meaning(Meaning { id, count: 0, words: Arc::default(), of: Arc::default() });
    }

    /// Moves a number to its last value and gives that this name alone: for a copy that is written to a file, where the name
    /// is known but not yet what it stands for.
    pub fn name_last(&mut self, id: Id, word: &str) {
        let Kind::Int { max, .. } = id.def().kind else { return };
        let last = usize::try_from(max).unwrap_or(0);
        let mut words = vec![String::new(); last];
        words.push(word.to_owned());
        self.set_meaning(Meaning { id, count: last + 1, words: words.into(), of: Arc::default() });
        let written = self.write(id.into(), &Value::Int(max));
        debug_assert!(written.is_ok(), "the last value is in range");
    }

    /// What the networks that play make of a number, if they say.
    pub fn meaning(&self, id: Id) -> Option<&Meaning> {
        self.meanings.iter().find(|meaning| meaning.id == id)
    }

    /// All of them. Another list after each change.
    pub fn meanings(&self) -> &Arc<[Meaning]> {
        &self.meanings
    }

    /// The row, with the range that the networks that play leave it.
    pub fn def(&self, id: Id) -> Def {
        self.meaning(id).map_or(*id.def(), |meaning| meaning.limit(id.def()))
    }

    /// The number that a word means here, such as the name of a style.
    fn number_of(&self, id: Id, value: &Value) -> Option<f64> {
        let (Value::Text(word), Some(meaning)) = (value, self.meaning(id)) else { return None };
        meaning.number(word).map(|number| number as f64)
    }

    /// What a number takes; for a word, also the names that the network gives its values.
    pub fn expects(&self, id: Id, value: &Value) -> String {
        let expects = self.def(id).expects();
        let Value::Text(word) = value else { return expects };
        match self.meaning(id).filter(|meaning| !meaning.words.is_empty()) {
            Some(Meaning { words, of, .. }) => format!("{expects} or a name of {of} ({})", told_names(words, word)),
            None if matches!(id, Id::StyleA | Id::StyleB) => {
                format!("{expects} (a name needs a style network: none plays)")
            }
            None => expects,
        }
    }

    /// The current table.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Swaps the table. A row that existed before keeps its value; a new row at a known address inherits the value there,
    /// if it fits and was not just the default. Allocates only for new rows.
    pub fn set_table(&mut self, table: Arc<Table>) {
        self.table = table;
        let table = self.table.clone();
        for id in table.ids() {
            if self.first.get(id.index()).copied().flatten().is_none() {
                self.make_cells(id);
            }
            let def = id.def();
            if !id.is_built_in()
                && let Some(before) = self.last_at.insert(def.address, id).filter(|before| *before != id)
            {
                self.inherit(id, before);
            }
        }
        self.smooth_as_set();
        self.fired.retain(|id| table.has(*id));
        for i in (0..self.moving.len()).rev() {
            let (target, cell) = self.moving[i];
            if !table.has(target.id) {
                self.cells[cell].smoothed = self.cells[cell].base;
                self.cells[cell].is_moving = false;
                self.moving.swap_remove(i);
            }
        }
        let gone = (0..self.first.len()).filter(|&i| !table.has_index(i));
        for (first, count) in gone.filter_map(|i| Some((self.first[i]?, Id::from_index(i).def().count))) {
            let cells = self.cells[first..first + count].iter_mut();
            cells.for_each(|cell| (cell.modulation, cell.carried, cell.bound) = (0.0, 0.0, None));
        }
    }

    /// Sets time constants that differ from those of the rows, in seconds; all others are those of the rows again. They hold
    /// for rows that come later, too.
    pub fn set_smoothing(&mut self, smoothing: &[(Target, f64)]) {
        for (target, _) in std::mem::take(&mut self.smoothing) {
            if let Some(i) = self.cell(target) {
                let id = self.table.current(target.id).unwrap_or(target.id);
                self.cells[i].smoothing_secs = id.def().smoothing_secs;
            }
        }
        self.smoothing = smoothing.to_vec();
        self.smooth_as_set();
    }

    fn smooth_as_set(&mut self) {
        for n in 0..self.smoothing.len() {
            let (target, secs) = self.smoothing[n];
            if let Some(i) = self.cell(target) {
                self.cells[i].smoothing_secs = secs;
            }
        }
    }

    /// Adds rows; existing ones stay.
    ///
    /// # Errors
    /// As [`Table::changed`]; then nothing is added.
    pub fn add(&mut self, rows: &[Def]) -> Result<Vec<Id>, TableError> {
        self.replace(&[], rows)
    }

    /// Removes rows; built-in ones stay.
    pub fn remove(&mut self, ids: &[Id]) {
        self.set_table(self.table.without(ids));
    }

    /// Removes rows and adds others, as one change of the table. Returns the ids of `rows`, in order.
    ///
    /// # Errors
    /// As [`Table::changed`]; then the table is unchanged.
    pub fn replace(&mut self, old: &[Id], rows: &[Def]) -> Result<Vec<Id>, TableError> {
        self.set_table(self.table.changed(old, rows)?);
        Ok(rows.iter().filter_map(|def| self.table.row(def.address)).collect())
    }

    fn make_cells(&mut self, id: Id) {
        if self.first.len() <= id.index() {
            self.first.resize(id.index() + 1, None);
        }
        self.first[id.index()] = Some(self.cells.len());
        let def = id.def();
        match def.kind {
            Kind::Text { default } => drop(self.texts.insert(id, default.to_owned())),
            Kind::Vector { max_len } => drop(self.vectors.insert(id, Vec::with_capacity(max_len))),
            _ => {}
        }
        let default = def.default_number().unwrap_or(0.0);
        let cell = Cell {
            base: default,
            smoothed: default,
            modulation: 0.0,
            carried: 0.0,
            smoothing_secs: def.smoothing_secs,
            bound: None,
            is_moving: false,
        };
        self.cells.extend(std::iter::repeat_n(cell, def.count));
    }

    /// Copies the value of the previous row at the same address, if it had been set.
    fn inherit(&mut self, id: Id, before: Id) {
        for index in 0..id.def().count.min(before.def().count) as u16 {
            let (old, new) = (Target { id: before, index }, Target { id, index });
            let was_set = match before.def().default_value() {
                Some(Value::Float(default)) => self.own_cell(old).is_some_and(|i| self.cells[i].base != default),
                Some(_) => true,
                None => false,
            };
            let Some(value) = self.held(old).filter(|_| was_set) else { continue };
            // If the new row cannot take the value, it keeps its default.
            let _ = self.write(new, &value);
        }
        self.fired.retain(|fired| *fired != id);
        self.moving.retain(|(target, _)| target.id != id);
        let first = self.own_cell(id.into()).unwrap_or(0);
        let cells = &mut self.cells[first..first + id.def().count];
        cells.iter_mut().for_each(|cell| (cell.smoothed, cell.is_moving) = (cell.base, false));
    }

    /// The cell of a target, or of the row that has its address now. `None` for a row that was never in the table.
    fn cell(&self, target: Target) -> Option<usize> {
        if self.table.has(target.id) {
            return self.own_cell(target);
        }
        let id = self.table.current(target.id).unwrap_or(target.id);
        self.own_cell(Target { id, ..target })
    }

    fn own_cell(&self, target: Target) -> Option<usize> {
        let first = self.first.get(target.id.index()).copied().flatten()?;
        Some(first + usize::from(target.index).min(target.id.def().count - 1))
    }

    /// Writes the base value, coerced to the parameter's kind: a float for an int is rounded, an int for a float
    /// is widened, a numeric string is parsed, numbers are clamped to the range.
    ///
    /// # Errors
    /// [`WriteError::Nonsense`] when the value has no meaning (text for a number, NaN, an unknown choice), and
    /// [`WriteError::Gone`] when the table no longer has the row; the parameter keeps its value.
    pub fn write(&mut self, target: Target, value: &Value) -> Result<Written, WriteError> {
        let id = self.table.current(target.id).ok_or(WriteError::Gone { target })?;
        let target = Target { id, ..target };
        let def = id.def();
        let i = self.own_cell(target).filter(|_| usize::from(target.index) < def.count);
        let i = i.ok_or(WriteError::Gone { target })?;
        let nonsense = |expected: String| WriteError::Nonsense { target, expected, found: value.to_string() };
        let number = match def.kind {
            Kind::Float { min, max, .. } => match value {
                Value::Travel(t) if t.is_finite() => Some(self.def(id).from_travel(*t)),
                other => other.as_number().or_else(|| self.number_of(id, value)).map(|x| x.clamp(min, max)),
            },
            Kind::Int { min, max, .. } => match value {
                Value::Travel(t) if t.is_finite() => Some(self.def(id).from_travel(*t).round()),
                other => {
                    let number = other.as_number().or_else(|| self.number_of(id, value));
                    number.map(|x| x.round().clamp(min as f64, max as f64))
                }
            },
            Kind::Bool { .. } => match value {
                Value::Nothing => Some(1.0 - self.cells[i].base),
                other => other.as_bool().map(|b| f64::from(u8::from(b))),
            },
            Kind::Choice { options, .. } => match value {
                Value::Text(s) => options
                    .iter()
                    .position(|o| o.eq_ignore_ascii_case(s.trim()))
                    .map(|i| i as f64)
                    .or_else(|| value.as_number().filter(|&x| x >= 0.0 && x < options.len() as f64).map(f64::trunc)),
                Value::Travel(t) if t.is_finite() => {
                    Some((t * options.len() as f64).floor().clamp(0.0, options.len() as f64 - 1.0))
                }
                other => other.as_number().map(|x| x.round()).filter(|&x| x >= 0.0 && x < options.len() as f64),
            },
            Kind::Text { .. } => {
                let text = match value {
                    Value::Text(s) => s.clone(),
                    Value::Int(i) => i.to_string(),
                    Value::Float(x) if x.is_finite() => format!("{}", x.round()),
                    Value::Nothing => String::new(),
                    _ => return Err(nonsense(def.expects())),
                };
                let slot = self.texts.entry(target.id).or_default();
                // Writing the same name again loads it again.
                *slot = text;
                self.fired.push(target.id);
                return Ok(Written::Changed);
            }
            Kind::Trigger => {
                let pressed = match value {
                    Value::Nothing => true,
                    other => other.as_bool().ok_or_else(|| nonsense(def.expects()))?,
                };
                if !pressed {
                    return Ok(Written::Unchanged);
                }
                if self.fired.len() < self.fired.capacity() {
                    self.fired.push(target.id);
                }
                return Ok(Written::Fired);
            }
            Kind::Vector { max_len } => {
                let slot = self.vectors.entry(target.id).or_default();
                match value {
                    Value::List(list) if list.iter().all(|x| x.is_finite()) => {
                        slot.clear();
                        slot.extend(list.iter().take(max_len));
                    }
                    Value::Nothing => slot.clear(),
                    Value::Float(_) | Value::Int(_) if value.as_number().is_some() => {
                        slot.clear();
                        slot.extend(value.as_number().map(|x| x as f32));
                    }
                    _ => return Err(nonsense(def.expects())),
                }
                return Ok(Written::Changed);
            }
        };
        let number = number.ok_or_else(|| nonsense(self.expects(id, value)))?;
        let cell = &mut self.cells[i];
        if cell.base == number {
            return Ok(Written::Unchanged);
        }
        cell.base = number;
        if cell.smoothing_secs > 0.0 {
            if !std::mem::replace(&mut cell.is_moving, true) {
                self.moving.push((target, i));
            }
        } else {
            cell.smoothed = number;
        }
        Ok(Written::Changed)
    }

    /// Starts a frame: clears the triggers of the last one.
    pub fn begin(&mut self) {
        self.fired.clear();
    }

    /// Moves the smoothed values towards their bases for `dt` seconds.
    pub fn step(&mut self, dt: f64) {
        let cells = &mut self.cells;
        self.moving.retain(|&(_, i)| {
            let cell = &mut cells[i];
            let secs = cell.smoothing_secs;
            let follow = if secs > 0.0 { 1.0 - (-dt / secs).exp() } else { 1.0 };
            cell.smoothed += (cell.base - cell.smoothed) * follow;
            let arrived = (cell.base - cell.smoothed).abs() < 1e-6 * (1.0 + cell.base.abs());
            if arrived {
                cell.smoothed = cell.base;
                cell.is_moving = false;
            }
            !arrived
        });
    }

    /// Jumps the smoothed values to their bases: at the start of a show, and when a preset is loaded.
    pub fn settle(&mut self) {
        for (_, i) in self.moving.drain(..) {
            (self.cells[i].smoothed, self.cells[i].is_moving) = (self.cells[i].base, false);
        }
    }

    /// Resets the rows that `wanted` selects: numbers to their defaults (smoothed ones glide), vectors to empty. Strings
    /// stay.
    pub fn write_defaults(&mut self, wanted: impl Fn(&Def) -> bool) {
        let table = self.table.clone();
        for id in table.ids().filter(|id| wanted(id.def())) {
            if let Some(vector) = self.vectors.get_mut(&id) {
                vector.clear();
            }
            let Some(default) = id.def().default_number() else { continue };
            for index in 0..id.def().count as u16 {
                let target = Target { id, index };
                if self.base(target) != default {
                    // A default always has the parameter's kind.
                    let _ = self.write(target, &Value::Float(default));
                }
            }
        }
    }

    /// Sets a string without firing it: the name of what is playing now.
    pub fn set_text(&mut self, id: Id, text: &str) {
        if let Some(slot) = self.texts.get_mut(&id) {
            text.clone_into(slot);
        }
    }

    /// Sets what LFOs, audio and scripts add in this frame, each target once, in travel: 0.5 moves as far as half a turn of
    /// a knob. Numbers not in the list are no longer modulated. Allocates only for more targets than ever before.
    pub fn modulate(&mut self, amounts: &[(Target, f64)]) {
        while let Some(target) = self.modulated.pop() {
            if let Some(i) = self.cell(target) {
                self.cells[i].modulation = 0.0;
            }
        }
        for &(target, amount) in amounts.iter().filter(|(_, amount)| amount.is_finite()) {
            if let Some(i) = self.cell(target).filter(|_| self.table.current(target.id).is_some()) {
                self.cells[i].modulation = amount;
                self.modulated.push(target);
            }
        }
    }

    /// The currently modulated targets, each once.
    pub fn modulated(&self) -> &[Target] {
        &self.modulated
    }

    /// Sets what modulated macros add to their targets in this frame, in travel; amounts for one target add up. Allocates
    /// only for more targets than ever before.
    pub fn carry(&mut self, amounts: &[(Target, f64)]) {
        while let Some(target) = self.carried.pop() {
            if let Some(i) = self.cell(target) {
                self.cells[i].carried = 0.0;
            }
        }
        for &(target, amount) in amounts.iter().filter(|(_, amount)| amount.is_finite()) {
            if let Some(i) = self.cell(target).filter(|_| self.table.current(target.id).is_some()) {
                self.cells[i].carried += amount;
                self.carried.push(target);
            }
        }
    }

    /// Sets the values that scripts' signals have in this frame, each target once. They take the place of the bases, which
    /// stay as they are; a target that is no longer in the list glides back to its base. Allocates only for more targets
    /// than ever before.
    pub fn bind(&mut self, values: &[(Target, f64)]) {
        let mut before = std::mem::take(&mut self.bound);
        // The usual case: the same targets as in the last frame.
        let is_same = before.len() == values.len() && before.iter().zip(values).all(|(a, (b, _))| a == b);
        if !is_same {
            for &target in &before {
                let Some(i) = self.cell(target) else { continue };
                let cell = &mut self.cells[i];
                let Some(last) = cell.bound.take() else { continue };
                if cell.smoothing_secs > 0.0 {
                    cell.smoothed = last;
                    if !std::mem::replace(&mut cell.is_moving, true) {
                        self.moving.push((target, i));
                    }
                }
            }
            before.clear();
            before.extend(values.iter().map(|(target, _)| *target));
        }
        self.bound = before;
        for &(target, value) in values.iter().filter(|(_, value)| value.is_finite()) {
            if let Some(i) = self.cell(target).filter(|_| self.table.current(target.id).is_some()) {
                let (min, max) = target.id.def().range();
                self.cells[i].bound = Some(value.clamp(min, max));
            }
        }
    }

    /// The targets that scripts have bound, each once.
    pub fn bound(&self) -> &[Target] {
        &self.bound
    }

    /// What modulators, scripts or modulated macros move, each target once.
    pub fn moved(&self) -> impl Iterator<Item = Target> + '_ {
        let bound = self.bound.iter().filter(|target| !self.modulated.contains(target));
        let is_new = |(at, target): &(usize, &Target)| {
            let is_known = self.modulated.contains(target) || self.carried[..*at].contains(target);
            !is_known && self.cell(**target).is_some_and(|i| self.cells[i].bound.is_none())
        };
        let carried = self.carried.iter().enumerate().filter(is_new).map(|(_, target)| target);
        self.modulated.iter().chain(bound).chain(carried).copied()
    }

    /// Whether a modulator, a script or a modulated macro moves it.
    pub fn is_moved(&self, target: Target) -> bool {
        let is_bound = || self.cell(target).is_some_and(|i| self.cells[i].bound.is_some());
        self.modulated.contains(&target) || self.carried.contains(&target) || is_bound()
    }

    /// The effective value: the smoothed base, or what is bound instead of it, moved along its travel by the modulation, within the range.
    pub fn get(&self, target: impl Into<Target>) -> f64 {
        let target = target.into();
        let Some(i) = self.cell(target) else { return self.base(target) };
        let (cell, def) = (&self.cells[i], target.id.def());
        let unmodulated = cell.bound.unwrap_or(cell.smoothed);
        let modulation = cell.modulation + cell.carried;
        if modulation == 0.0 {
            let (min, max) = def.range();
            return unmodulated.clamp(min, max);
        }
        let limited = self.meaning(target.id).map(|meaning| meaning.limit(def));
        let def = limited.as_ref().filter(|limited| unmodulated <= limited.range().1).unwrap_or(def);
        def.from_travel(def.to_travel(unmodulated) + modulation)
    }

    /// The effective value in the parameter's kind, as sent by `/get/effective`. `None` for triggers.
    pub fn effective(&self, target: impl Into<Target>) -> Option<Value> {
        let target = target.into();
        match target.id.def().kind {
            Kind::Float { .. } => Some(Value::Float(self.get(target))),
            Kind::Int { .. } => Some(Value::Int(self.get(target).round() as i64)),
            Kind::Bool { .. } => Some(Value::Bool(self.get(target) >= 0.5)),
            Kind::Choice { .. } => Some(Value::Text(self.choice(target.id).to_owned())),
            _ => self.value(target),
        }
    }

    /// The effective value of an int or a choice (its position).
    pub fn int(&self, id: Id) -> i64 {
        self.get(id).round() as i64
    }

    pub fn bool(&self, id: Id) -> bool {
        self.get(id) >= 0.5
    }

    /// The selected word; empty if `id` is not a choice.
    pub fn choice(&self, id: Id) -> &'static str {
        match id.def().kind {
            Kind::Choice { options, .. } => options[(self.int(id).max(0) as usize).min(options.len() - 1)],
            _ => "",
        }
    }

    /// The choice as the enum that the row was made from.
    pub fn get_choice<T: Choice>(&self, id: Id) -> T {
        debug_assert!(matches!(id.def().kind, Kind::Choice { options, .. } if options == T::WORDS), "{id:?}");
        T::from_index(self.int(id).max(0) as usize)
    }

    pub fn text(&self, id: Id) -> &str {
        let id = self.table.current(id).unwrap_or(id);
        self.texts.get(&id).map_or("", String::as_str)
    }

    pub fn vector(&self, id: Id) -> &[f32] {
        let id = self.table.current(id).unwrap_or(id);
        self.vectors.get(&id).map_or(&[], Vec::as_slice)
    }

    /// The written value, without smoothing and modulation.
    pub fn base(&self, target: impl Into<Target>) -> f64 {
        let target = target.into();
        self.cell(target).map_or_else(|| target.id.def().default_number().unwrap_or(0.0), |i| self.cells[i].base)
    }

    /// The base's position on a knob's 0..1 travel.
    pub fn travel(&self, target: impl Into<Target>) -> f64 {
        let target = target.into();
        self.def(target.id).to_travel(self.base(target))
    }

    /// Triggers and strings written since the frame began, in order.
    pub fn fired(&self) -> &[Id] {
        &self.fired
    }

    /// The base as a value, as sent by `/dump` and saved in a preset. `None` for triggers.
    pub fn value(&self, target: impl Into<Target>) -> Option<Value> {
        let target = target.into();
        let id = self.table.current(target.id).unwrap_or(target.id);
        self.held(Target { id, ..target })
    }

    /// A row's value, whether or not it is in the table.
    fn held(&self, target: Target) -> Option<Value> {
        let base = self.own_cell(target).map_or(0.0, |i| self.cells[i].base);
        Some(match target.id.def().kind {
            Kind::Float { .. } => Value::Float(base),
            Kind::Int { .. } => Value::Int(base as i64),
            Kind::Bool { .. } => Value::Bool(base >= 0.5),
            Kind::Choice { options, .. } => Value::Text(options[base as usize].to_owned()),
            Kind::Text { .. } => Value::Text(self.texts.get(&target.id).cloned().unwrap_or_default()),
            Kind::Vector { .. } => Value::List(self.vectors.get(&target.id).cloned().unwrap_or_default()),
            Kind::Trigger => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_coerced_where_the_intent_is_clear() {
        let float = |v: f64| Value::Float(v);
        let text = |s: &str| Value::Text(s.to_owned());
        let table: &[(Id, Value, Option<f64>)] = &[
            (Id::Psi, float(0.5), Some(0.5)),
            (Id::Psi, Value::Int(1), Some(1.0)),
            (Id::Psi, text(" 0.25 "), Some(0.25)),
            (Id::Psi, Value::Bool(true), Some(1.0)),
            (Id::Psi, Value::List(vec![0.5, 9.0]), Some(0.5)),
            (Id::Psi, float(99.0), Some(2.0)),
            (Id::Psi, float(f64::NAN), None),
            (Id::Psi, text("much"), None),
            (Id::Psi, Value::Nothing, None),
            (Id::Psi, Value::Travel(0.0), Some(-1.0)),
            (Id::Seed, float(84.6), Some(85.0)),
            (Id::Seed, float(-3.0), Some(0.0)),
            (Id::Freeze, float(1.0), Some(1.0)),
            (Id::Freeze, text("true"), Some(1.0)),
            (Id::Freeze, text("perhaps"), None),
            (Id::WalkKind, text("LOOP"), Some(2.0)),
            (Id::WalkKind, float(3.0), Some(3.0)),
            (Id::WalkKind, Value::Int(5), None),
            (Id::WalkKind, text("stroll"), None),
        ];
        for (id, value, expected) in table {
            let mut params = Params::default();
            let before = params.base(*id);
            let written = params.write((*id).into(), value);
            assert_eq!(written.is_ok(), expected.is_some(), "{id:?} {value:?}: {written:?}");
            assert_eq!(params.base(*id), expected.unwrap_or(before), "{id:?} {value:?}");
        }
    }

    #[test]
    fn a_smoothed_value_arrives_and_modulation_is_clamped() {
        let mut params = Params::default();
        params.write(Id::Psi.into(), &Value::Float(1.5)).expect("a number");
        params.step(0.01);
        let soon = params.get(Id::Psi);
        assert!(soon > 0.7 && soon < 1.0, "{soon}");
        for _ in 0..200 {
            params.step(0.01);
        }
        assert_eq!(params.get(Id::Psi), 1.5);
        params.modulate(&[(Id::Psi.into(), 9.0)]);
        assert_eq!((params.get(Id::Psi), params.base(Id::Psi)), (2.0, 1.5));
        params.modulate(&[]);
        assert_eq!(params.get(Id::Psi), 1.5);
    }

    #[test]
    fn numbers_go_by_the_names_that_the_network_gives_them() {
        let mut params = Params::default();
        let text = |word: &str| Value::Text(word.to_owned());
        let error = params.write(Id::StyleA.into(), &text("kiss")).unwrap_err().to_string();
        let none =
            "/style/a takes a whole number from 0 to 255 (a name needs a style network: none plays), got \"kiss\"";
        assert_eq!(error, none);
        let words: Arc<[String]> = ["van-gogh-starry-night", "klimt-the-kiss", "wave"].map(str::to_owned).into();
        let meaning = Meaning { id: Id::StyleA, count: 3, words, of: "painters3".into() };
        params.set_meaning(meaning.clone());
        let known = params.meanings().clone();
        params.set_meaning(meaning);
        assert!(Arc::ptr_eq(&known, params.meanings()));
        for (value, number, travel) in [
            (text("kiss"), 1.0, 0.5),
            (text("2"), 2.0, 1.0),
            (Value::Travel(0.5), 1.0, 0.5),
            (Value::Int(200), 200.0, 1.0),
        ] {
            params.write(Id::StyleA.into(), &value).unwrap();
            assert_eq!((params.base(Id::StyleA), params.travel(Id::StyleA)), (number, travel), "{value:?}");
        }
        let error = params.write(Id::StyleA.into(), &text("wafe")).unwrap_err().to_string();
        let takes = "a whole number from 0 to 2 or a name of painters3 (wave, van-gogh-starry-night, klimt-the-kiss)";
        assert_eq!(error, format!("/style/a takes {takes}, got \"wafe\""));
        params.clear_meaning(Id::StyleA);
        assert_eq!(params.def(Id::StyleA), *Id::StyleA.def());
    }

    #[test]
    fn time_constants_can_be_set_and_go_back() {
        let mut params = Params::default();
        params.set_smoothing(&[(Id::Psi.into(), 0.0), (Id::WalkSpeed.into(), 1.0)]);
        let play = |params: &mut Params, psi: f64, speed: f64| {
            params.write(Id::Psi.into(), &Value::Float(psi)).unwrap();
            params.write(Id::WalkSpeed.into(), &Value::Float(speed)).unwrap();
            params.step(0.1);
            (params.get(Id::Psi), params.get(Id::WalkSpeed))
        };
        let (psi, speed) = play(&mut params, 1.5, 1.25);
        assert!(psi == 1.5 && (speed - (1.25 - (-0.1f64).exp())).abs() < 1e-12, "{psi} {speed}");
        // What moves while its time becomes 0 arrives.
        params.set_smoothing(&[(Id::WalkSpeed.into(), 0.0)]);
        params.step(0.0);
        assert_eq!(params.get(Id::WalkSpeed), 1.25);
        params.set_smoothing(&[]);
        let (psi, speed) = play(&mut params, 0.5, 0.25);
        assert!(psi > 0.5 && speed > 0.25, "{psi} {speed}");
        assert!((psi - (0.5 + (-0.1f64 / 0.08).exp())).abs() < 1e-12, "{psi}");
    }

    #[test]
    fn a_row_that_comes_later_has_the_time_that_was_set() {
        let mut params = Params::default();
        let gain = params.add(&[GAIN]).unwrap();
        params.remove(&gain);
        params.set_smoothing(&[(gain[0].into(), 0.0)]);
        let edited = params.add(&[Def::float("/fx/store/gain", 0.0, 2.0, 0.5).smooth(0.2)]).unwrap();
        params.write(edited[0].into(), &Value::Float(1.5)).unwrap();
        assert_eq!(params.get(edited[0]), 1.5);
    }

    #[test]
    fn triggers_fire_once_a_press() {
        let mut params = Params::default();
        for (value, fires) in
            [(Value::Nothing, 1), (Value::Float(1.0), 2), (Value::Float(0.0), 2), (Value::Bool(true), 3)]
        {
            params.write(Id::SeedNext.into(), &value).expect("a press");
            assert_eq!(params.fired().len(), fires);
        }
        params.begin();
        assert!(params.fired().is_empty());
    }

    const GAIN: Def = Def::float("/fx/store/gain", 0.0, 1.0, 0.5).smooth(0.1);
    const NAME: Def = Def::text("/fx/store/name", "a");
    const BANDS: Def = Def::float("/fx/store/band/<n>", 0.0, 1.0, 0.0).family(4);

    #[test]
    fn values_survive_when_their_rows_go_and_come_back() {
        let mut params = Params::default();
        let ids = params.add(&[GAIN, NAME, BANDS]).unwrap();
        let band = Target { id: ids[2], index: 3 };
        params.write(ids[0].into(), &Value::Float(0.75)).unwrap();
        params.write(ids[1].into(), &Value::Text("b".to_owned())).unwrap();
        params.write(band, &Value::Float(0.25)).unwrap();
        params.write(Id::Psi.into(), &Value::Float(1.5)).unwrap();
        params.modulate(&[(ids[0].into(), 0.1)]);
        params.step(0.01);

        params.remove(&ids);
        assert!(!params.fired().contains(&ids[1]));
        params.modulate(&[(ids[0].into(), 0.2)]);
        let error = params.write(band, &Value::Float(1.0)).unwrap_err();
        assert_eq!(error.to_string(), "/fx/store/band/3 no longer exists");
        params.step(1.0);
        params.write_defaults(|_| true);

        assert_eq!(params.add(&[BANDS, GAIN, NAME]).unwrap(), [ids[2], ids[0], ids[1]]);
        assert_eq!((params.base(ids[0]), params.get(ids[0]), params.text(ids[1])), (0.75, 0.75, "b"));
        assert_eq!(params.get(band), 0.25);
        assert_eq!(params.base(Id::Psi), 0.7, "defaults were written to the rows that there were");
    }

    #[test]
    fn an_edited_row_keeps_what_was_set_and_is_played_by_its_old_id() {
        let mut params = Params::default();
        let word = |default| Def::choice("/fx/store/word", &["a", "b", "c"], default);
        let old = params.add(&[GAIN, word(0)]).unwrap();
        params.write(old[0].into(), &Value::Float(0.75)).unwrap();
        let edited = [Def::float("/fx/store/gain", 0.0, 0.6, 0.5), word(2)];
        let new = params.replace(&old, &edited).unwrap();
        assert!(new[0] != old[0] && new[1] != old[1]);
        assert_eq!(params.get(new[0]), 0.6, "clamped");
        assert_eq!(params.choice(new[1]), "c", "nobody had set it");
        params.write(old[0].into(), &Value::Float(0.1)).unwrap();
        assert_eq!((params.base(new[0]), params.base(old[0])), (0.1, 0.1));
        assert_eq!(params.get_choice::<super::super::Ease>(Id::WalkEase), super::super::Ease::Smooth);
    }

    #[test]
    fn an_id_of_another_table_reads_as_its_default() {
        let elsewhere = Params::default().add(&[Def::float("/fx/store/elsewhere", 0.0, 1.0, 0.5)]).unwrap();
        let mut params = Params::default();
        assert_eq!((params.get(elsewhere[0]), params.base(elsewhere[0])), (0.5, 0.5));
        assert!(params.write(elsewhere[0].into(), &Value::Float(1.0)).is_err());
    }
}
