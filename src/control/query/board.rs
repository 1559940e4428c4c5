//! The board: what clients may see, copied from the show when it changes.
//!
//! [`Panel`] is the show's half: it runs inside the frame, compares, and writes only what changed; it never waits for
//! the lock. The thread `query` reads. **Latest value wins**: each place has the number of its last change, and a client
//! that has seen a smaller number is behind, so nothing ever queues up.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use rosc::OscType;
use tokio::sync::{Notify, watch};

use super::OscHost;
use super::playing::Playing;
use super::view::View;
use crate::control::mapping::{MacroEntry, OscEntry};
use crate::control::osc::feeds::{FEEDS, Feed, Feeds};
use crate::control::osc::names::Names;
use crate::control::osc::reports::Reports;
use crate::control::{Listener, Snapshot};
use crate::params::{BENDS, Def, Id, Kind, Meaning, Members, Table, Target, Value};

/// Interval at which effective values are written for clients that watch them.
const EFFECTIVE_EVERY_SECS: f64 = 1.0 / 30.0;

/// What there is with the current networks: how many members the families have, and which parameters do something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dims {
    /// Of z: `/z/<n>`.
    pub z: usize,
    /// Of w: `/w/<n>`.
    pub w: usize,
    /// Layers of the network that read a w: `/psi/<n>`.
    pub layers: usize,
    /// Styles of the style network: `/style/mix/<n>`.
    pub styles: usize,
    /// Classes of the network; 0 for one without.
    pub classes: usize,
    /// Whether the network is a StyleGAN3, which moves its content and has no noise.
    pub is_stylegan3: bool,
    /// Whether a picture or film goes in.
    pub has_input: bool,
    /// Whether a second network is named.
    pub has_second: bool,
    pub bends: Bending,
}

/// What `/bend/<n>` can bend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bending {
    /// Whether the engine bends anything.
    pub by_engine: bool,
    /// Layers of the network that can be bent.
    pub layers: usize,
    /// Whether the layer of each bend is one of them.
    pub reached: [bool; BENDS],
}

impl Dims {
    /// How many members of a family to show; 1 for a single parameter.
    pub fn count(&self, def: &Def) -> usize {
        if def.is_family() { self.members(def, def.count) } else { 1 }
    }

    /// Whether a parameter does anything now.
    ///
    /// # Errors
    /// The reason, if it does nothing with what plays.
    pub fn applies(&self, id: Id) -> Result<(), &'static str> {
        let address = id.def().address;
        let is_below = |folder: &str| address.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let needs = |has: bool, reason| if has { Ok(()) } else { Err(reason) };
        match id {
            Id::StyleNetwork => Ok(()),
            Id::Class | Id::ClassMix => needs(self.classes > 0, "the network has no classes"),
            Id::StyleB | Id::StyleBlend | Id::StyleMix if self.styles == 1 => Err("the style network has one style"),
            _ if is_below("/transform") => needs(self.is_stylegan3, "the network is no StyleGAN3"),
            _ if is_below("/noise") => needs(!self.is_stylegan3, "a StyleGAN3 has no noise"),
            _ if is_below("/style") || is_below("/feedback") => needs(self.styles > 0, "no style network plays"),
            Id::NetworkMix | Id::NetworkSwap | Id::NetworkSwapWidth => needs(self.has_second, "there is no /network/b"),
            _ if is_below("/input") => needs(self.has_input, "there is no /input"),
            _ => {
                let Some(n) = id.bend() else { return Ok(()) };
                let Bending { by_engine, layers, reached } = self.bends;
                needs(by_engine, "the torch engine bends nothing")?;
                needs(layers > 0, "the network has no layers that can be bent")?;
                needs(reached[n], "the network has no such layer")
            }
        }
    }

    /// Length of a vector; 0 for other parameters.
    pub fn vector_len(&self, def: &Def) -> usize {
        if let Kind::Vector { max_len } = def.kind { self.members(def, max_len) } else { 0 }
    }

    fn members(&self, def: &Def, all: usize) -> usize {
        match def.members {
            Members::All => all,
            Members::Z => self.z.min(all),
            Members::W => self.w.min(all),
            Members::Layers => self.layers.min(all),
            Members::Classes => self.classes.min(all),
            Members::Styles => self.styles.min(all),
        }
    }
}

/// What a place on the board refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Param(Target),
    Feed(Feed),
    /// An alias of the preset, by index.
    Alias(usize),
}

/// A value, and the number of its last change.
#[derive(Clone, Debug)]
pub struct Cell {
    pub value: Value,
    pub serial: u64,
}

/// The current parameters, and the positions of their cells.
#[derive(Debug)]
struct Layout {
    table: Arc<Table>,
    /// Every parameter and every member of the families, in the order of the table.
    targets: Vec<Target>,
    /// Position in `targets` of each row's first member.
    first: HashMap<Id, usize>,
}

impl Layout {
    fn new(table: &Arc<Table>) -> Self {
        let targets: Vec<Target> = table.targets().collect();
        let first = targets.iter().enumerate().filter(|(_, t)| t.index == 0).map(|(i, t)| (t.id, i)).collect();
        Layout { table: table.clone(), targets, first }
    }

    /// The position of a target's cell. `None` if its row is gone; an edited row has the new row's position.
    fn place(&self, target: Target) -> Option<usize> {
        let id = self.table.current(target.id)?;
        (usize::from(target.index) < id.def().count).then(|| self.first[&id] + usize::from(target.index))
    }
}

/// What clients may see.
#[derive(Clone, Debug)]
pub struct Board {
    layout: Arc<Layout>,
    /// One for each target of the layout.
    cells: Vec<Cell>,
    pub feeds: Feeds,
    feed_serials: [u64; FEEDS.len()],
    pub aliases: Arc<[OscEntry]>,
    /// What the macros move.
    pub macros: Arc<[MacroEntry]>,
    /// What the networks make of some numbers.
    pub meanings: Arc<[Meaning]>,
    pub dims: Dims,
    /// The modulated targets and their effective values, written every [`EFFECTIVE_EVERY_SECS`].
    effective: Vec<(Target, Value)>,
    pub playing: Arc<Playing>,
    /// Incremented with every change.
    pub serial: u64,
    /// Incremented with every change of the tree: of rows, aliases, macros, dimensions, or the set of modulated targets.
    pub shape: u64,
}

impl Board {
    fn new() -> Self {
        let layout = Arc::new(Layout::new(Table::built_in()));
        let cells = vec![Cell { value: Value::Nothing, serial: 0 }; layout.targets.len()];
        let feed_serials = [0; FEEDS.len()];
        let (feeds, dims, playing) = (Feeds::default(), Dims::default(), Arc::default());
        let (aliases, effective) = (Arc::new([]), Vec::new());
        let (macros, meanings): (Arc<[MacroEntry]>, Arc<[Meaning]>) = Default::default();
        Board {
            layout,
            cells,
            feeds,
            feed_serials,
            aliases,
            macros,
            meanings,
            dims,
            effective,
            playing,
            serial: 0,
            shape: 0,
        }
    }

    /// The current table of parameters.
    pub fn table(&self) -> &Arc<Table> {
        &self.layout.table
    }

    /// Switches to other rows: those that stay keep their cells; the others count as changed.
    fn lay_out(&mut self, layout: &Arc<Layout>) {
        let new = Cell { value: Value::Nothing, serial: self.serial };
        let kept = |target: &Target| {
            let first = self.layout.first.get(&target.id)?;
            self.cells.get(first + usize::from(target.index)).cloned()
        };
        self.cells = layout.targets.iter().map(|target| kept(target).unwrap_or_else(|| new.clone())).collect();
        self.layout = layout.clone();
    }

    /// What the networks make of a number, if they say.
    pub fn meaning(&self, id: Id) -> Option<&Meaning> {
        self.meanings.iter().find(|meaning| meaning.id == id)
    }

    /// What is at an address.
    pub fn find(&self, address: &str) -> Option<Place> {
        if let Some(target) = self.layout.table.resolve(address) {
            return Some(Place::Param(target)).filter(|_| self.shows(target));
        }
        if let Some(feed) = Feed::resolve(address) {
            return Some(Place::Feed(feed));
        }
        self.aliases.iter().position(|alias| alias.address == address).map(Place::Alias)
    }

    /// Whether the target is used by the current networks.
    fn shows(&self, target: Target) -> bool {
        usize::from(target.index) < self.dims.count(target.id.def())
    }

    fn cell(&self, target: Target) -> Option<&Cell> {
        self.cells.get(self.layout.place(target)?)
    }

    /// The number of the last change at a place.
    pub fn serial_of(&self, place: Place) -> u64 {
        match place {
            Place::Param(target) => self.cell(target).map_or(0, |cell| cell.serial),
            Place::Feed(feed) => self.feed_serials[feed.index()],
            Place::Alias(i) => self.aliases.get(i).and_then(|alias| self.cell(alias.to)).map_or(0, |cell| cell.serial),
        }
    }

    /// The value at a place as OSC arguments, with the types declared in the tree. `None` for triggers.
    pub fn arguments(&self, place: Place) -> Option<Vec<OscType>> {
        match place {
            Place::Param(target) => arguments(target.id.def(), &self.cell(target)?.value, &self.dims),
            Place::Feed(feed) => Some(vec![self.feeds.value(feed)]),
            Place::Alias(i) => {
                let alias = self.aliases.get(i)?;
                let value = alias.back(Some(self.cell(alias.to)?.value.clone()))?;
                match value {
                    Value::Float(x) if alias.is_travel() => Some(vec![OscType::Float(x as f32)]),
                    other => arguments(alias.to.id.def(), &other, &self.dims),
                }
            }
        }
    }

    /// The effective value at a modulated place, as OSC arguments.
    pub fn modulated(&self, place: Place) -> Option<Vec<OscType>> {
        let Place::Param(target) = place else { return None };
        let (_, value) = self.effective.iter().find(|(modulated, _)| *modulated == target)?;
        arguments(target.id.def(), value, &self.dims)
    }

    /// The effective value, as OSC arguments. Only parameters have one; without modulation it equals the value.
    pub fn effective(&self, place: Place) -> Option<Vec<OscType>> {
        let is_param = matches!(place, Place::Param(_));
        self.modulated(place).or_else(|| self.arguments(place).filter(|_| is_param))
    }

    /// Every current place.
    pub fn places(&self) -> impl Iterator<Item = Place> + '_ {
        let params = self.layout.targets.iter().copied().filter(|target| self.shows(*target));
        params
            .map(Place::Param)
            .chain(FEEDS.into_iter().map(Place::Feed))
            .chain((0..self.aliases.len()).map(Place::Alias))
    }

    /// The address of a place.
    pub fn address(&self, place: Place) -> String {
        match place {
            Place::Param(target) => target.to_string(),
            Place::Feed(feed) => feed.address().to_owned(),
            Place::Alias(i) => self.aliases.get(i).map(|alias| alias.address.clone()).unwrap_or_default(),
        }
    }
}

fn arguments(def: &Def, value: &Value, dims: &Dims) -> Option<Vec<OscType>> {
    Some(match (def.kind, value) {
        (Kind::Trigger, _) => return None,
        (Kind::Vector { .. }, Value::List(list)) => {
            // A vector has as many numbers as the tree declares; unwritten ones are 0.
            let numbers = list.iter().copied().chain(std::iter::repeat(0.0)).take(dims.vector_len(def));
            numbers.map(OscType::Float).collect()
        }
        (_, Value::Float(x)) => vec![OscType::Float(*x as f32)],
        (_, Value::Int(i)) => vec![i32::try_from(*i).map_or(OscType::Long(*i), OscType::Int)],
        (_, Value::Bool(b)) => vec![OscType::Bool(*b)],
        (_, Value::Text(text)) => vec![OscType::String(text.clone())],
        _ => return None,
    })
}

/// State shared by both threads.
pub struct Shared {
    board: Mutex<Board>,
    /// The current parameters and aliases, for parsing what clients send.
    pub names: Names,
    /// What the player is told about what clients send.
    pub reports: Reports,
    /// Wakes clients waiting for changes.
    pub news: watch::Sender<u64>,
    /// Number of effective values watched, by all clients together.
    pub watched: AtomicUsize,
    /// Set when a client wants the next picture.
    pub looked_for: AtomicBool,
    pub view: Mutex<View>,
    /// Wakes clients waiting for a picture.
    pub views: watch::Sender<u64>,
    pub stop: Notify,
    pub address: SocketAddr,
    pub osc: Option<OscHost>,
}

impl Shared {
    pub fn new(address: SocketAddr, osc: Option<OscHost>) -> Self {
        Shared {
            board: Mutex::new(Board::new()),
            names: Names::default(),
            reports: Reports::new(Instant::now()),
            news: watch::Sender::new(0),
            watched: AtomicUsize::new(0),
            looked_for: AtomicBool::new(false),
            view: Mutex::default(),
            views: watch::Sender::new(0),
            stop: Notify::new(),
            address,
            osc,
        }
    }

    /// The board; only for the thread `query`, and only briefly, as the show skips updates in the meantime.
    pub fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The show's half; belongs to the show.
pub struct Panel {
    shared: Arc<Shared>,
    layout: Arc<Layout>,
    /// Each target's number on the board; NaN if unknown.
    numbers: Vec<f64>,
    /// Each string on the board, with the position of its target.
    texts: Vec<(usize, String)>,
    vectors: Vec<(usize, Vec<f32>)>,
    feeds: Feeds,
    aliases: Arc<[OscEntry]>,
    macros: Arc<[MacroEntry]>,
    meanings: Arc<[Meaning]>,
    dims: Dims,
    playing: Arc<Playing>,
    changed: Vec<usize>,
    /// The first frame writes everything.
    fresh: bool,
    /// Whether the board has not taken over the layout yet.
    has_other_rows: bool,
    /// The modulated targets on the board.
    modulated: Vec<Target>,
    /// Those of this frame; kept for its capacity.
    moved: Vec<Target>,
    /// Seconds since their values were written.
    effective_secs: f64,
}

impl Panel {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let layout = shared.board().layout.clone();
        let mut panel = Panel {
            shared,
            layout: layout.clone(),
            numbers: Vec::new(),
            texts: Vec::new(),
            vectors: Vec::new(),
            feeds: Feeds::default(),
            aliases: Arc::new([]),
            macros: Arc::new([]),
            meanings: Arc::new([]),
            dims: Dims::default(),
            playing: Arc::default(),
            changed: Vec::new(),
            fresh: true,
            has_other_rows: false,
            modulated: Vec::new(),
            moved: Vec::new(),
            effective_secs: 0.0,
        };
        panel.lay_out(layout);
        panel
    }

    /// Switches to other rows; those that stay remain known.
    fn lay_out(&mut self, layout: Arc<Layout>) {
        let targets = &layout.targets;
        let known: HashMap<Target, f64> = self.layout.targets.iter().copied().zip(self.numbers.drain(..)).collect();
        self.numbers = targets.iter().map(|target| known.get(target).copied().unwrap_or(f64::NAN)).collect();
        let of = |wanted: fn(Kind) -> bool| (0..targets.len()).filter(move |&i| wanted(targets[i].id.def().kind));
        // Known strings and vectors are written once more; there are few.
        self.texts = of(|kind| matches!(kind, Kind::Text { .. })).map(|i| (i, String::new())).collect();
        self.vectors = of(|kind| matches!(kind, Kind::Vector { .. })).map(|i| (i, Vec::new())).collect();
        self.changed = Vec::with_capacity(targets.len());
        self.layout = layout;
    }

    /// Writes what changed since the last frame, `dt` seconds ago. A frame without changes costs a comparison of each
    /// number.
    pub fn step(&mut self, snapshot: &Snapshot, dt: f64) {
        let dims = snapshot.dims;
        let table = snapshot.params.table();
        self.shared.names.publish(table, snapshot.aliases(), snapshot.heard());
        if self.layout.table.version() != table.version() {
            self.lay_out(Arc::new(Layout::new(table)));
            self.has_other_rows = true;
        }
        self.changed.clear();
        let targets = &self.layout.targets;
        for (i, target) in targets.iter().enumerate() {
            let base = snapshot.params.base(*target);
            if self.numbers[i] != base {
                self.changed.push(i);
            }
        }
        self.changed
            .extend(self.texts.iter().filter(|(i, text)| snapshot.params.text(targets[*i].id) != text).map(|t| t.0));
        let vectors = self.vectors.iter().filter(|(i, list)| snapshot.params.vector(targets[*i].id) != list);
        self.changed.extend(vectors.map(|v| v.0));
        self.moved.clear();
        self.moved.extend(snapshot.params.moved());
        let macros = snapshot.mapping.macros();
        // One whose first target is moved, too.
        let is_taken_along =
            |id: &Id| !snapshot.params.is_moved((*id).into()) && macros.moving_of(*id, snapshot.params).is_some();
        self.moved.extend(Id::MACROS.into_iter().filter(is_taken_along).map(Target::from));
        let modulated = &self.moved;
        let has_other_modulation = self.modulated != *modulated;
        let reshaped = self.has_other_rows
            || has_other_modulation
            || self.dims != dims
            || !Arc::ptr_eq(&self.aliases, snapshot.aliases())
            || !Arc::ptr_eq(&self.meanings, snapshot.params.meanings())
            || !Arc::ptr_eq(&self.macros, macros.entries());
        self.effective_secs += dt;
        let is_moving = !modulated.is_empty() && self.effective_secs >= EFFECTIVE_EVERY_SECS;
        let has_other_scene = !self.playing.is_of(&snapshot.scene);
        let is_same =
            self.changed.is_empty() && !reshaped && self.feeds == snapshot.feeds && !has_other_scene && !self.fresh;
        if is_same && !is_moving {
            return;
        }
        // While a client's request is being answered, updates wait for the next frame.
        let mut board = match self.shared.board.try_lock() {
            Ok(board) => board,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if is_moving || has_other_modulation {
            board.effective.clear();
            let value = |target: Target| {
                let of_macro = macros.moving_of(target.id, snapshot.params).map(Value::Float);
                of_macro.or_else(|| snapshot.params.effective(target))
            };
            let values = modulated.iter().map(|&target| Some((target, value(target)?)));
            board.effective.extend(values.flatten());
            self.effective_secs = 0.0;
        }
        if is_same {
            drop(board);
            if self.shared.watched.load(Ordering::Acquire) > 0 {
                self.shared.news.send_modify(|serial| *serial += 1);
            }
            return;
        }
        self.modulated.clone_from(&self.moved);
        if has_other_scene {
            self.playing = self.playing.after(&snapshot.scene);
            board.playing = self.playing.clone();
        }
        if std::mem::take(&mut self.fresh) {
            self.changed.clear();
            self.changed.extend(0..targets.len());
        }
        self.has_other_rows = false;
        write(board, &self.layout, &self.changed, snapshot, dims, reshaped);
        for &i in &self.changed {
            self.numbers[i] = snapshot.params.base(targets[i]);
        }
        for (i, text) in &mut self.texts {
            snapshot.params.text(targets[*i].id).clone_into(text);
        }
        for (i, list) in &mut self.vectors {
            snapshot.params.vector(targets[*i].id).clone_into(list);
        }
        (self.feeds, self.dims) = (snapshot.feeds, dims);
        self.aliases.clone_from(snapshot.aliases());
        self.macros.clone_from(macros.entries());
        self.meanings.clone_from(snapshot.params.meanings());
        self.shared.news.send_modify(|serial| *serial += 1);
    }
}

impl Listener for Panel {
    fn publish(&mut self, snapshot: &Snapshot, dt: f64) {
        self.step(snapshot, dt);
    }
}

/// Sends pictures to clients with the page open.
pub struct Viewer {
    shared: Arc<Shared>,
}

impl Viewer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Viewer { shared }
    }

    /// Whether a client is waiting for a picture.
    pub fn is_looked_at(&self) -> bool {
        self.shared.looked_for.load(Ordering::Acquire)
    }

    /// Hands a picture to waiting clients, if there are any: sRGB-encoded RGBA, `width` by `height`. `serial` identifies
    /// the picture; `brightness` is 1 for the picture and 0 for black.
    pub fn show(&self, width: u32, height: u32, rgba: &[u8], serial: u64, brightness: f32) {
        if !self.shared.looked_for.load(Ordering::Acquire) {
            return;
        }
        let Ok(mut view) = self.shared.view.try_lock() else { return };
        if view.is(serial, brightness) {
            return;
        }
        view.take(width, height, rgba, serial, brightness);
        drop(view);
        self.shared.looked_for.store(false, Ordering::Release);
        self.shared.views.send_modify(|serial| *serial += 1);
    }
}

fn write(
    mut board: MutexGuard<'_, Board>,
    layout: &Arc<Layout>,
    changed: &[usize],
    snapshot: &Snapshot,
    dims: Dims,
    reshaped: bool,
) {
    board.serial += 1;
    let serial = board.serial;
    if board.layout.table.version() != layout.table.version() {
        board.lay_out(layout);
    }
    for &i in changed {
        if let Some(value) = snapshot.params.value(layout.targets[i]) {
            board.cells[i] = Cell { value, serial };
        }
    }
    for feed in FEEDS {
        if board.feeds.number(feed) != snapshot.feeds.number(feed) {
            board.feed_serials[feed.index()] = serial;
        }
    }
    board.feeds = snapshot.feeds;
    if reshaped {
        board.shape += 1;
        board.dims = dims;
        board.aliases.clone_from(snapshot.aliases());
        board.macros.clone_from(snapshot.mapping.macros().entries());
        board.meanings.clone_from(snapshot.params.meanings());
    }
}

#[cfg(test)]
pub(super) mod test {
    use super::*;
    use crate::control::mapping::Mapping;
    use crate::control::scene::Scene;
    use crate::params::Params;

    pub fn shared() -> Arc<Shared> {
        let address = (std::net::Ipv4Addr::LOCALHOST, 9000).into();
        Arc::new(Shared::new(address, Some(OscHost::new(address))))
    }

    pub const DIMS: Dims = Dims {
        z: 64,
        w: 32,
        layers: 16,
        styles: 8,
        classes: 10,
        is_stylegan3: false,
        has_input: true,
        has_second: true,
        bends: Bending { by_engine: true, layers: 7, reached: [true; BENDS] },
    };

    /// A board with these parameters' values.
    pub fn board_of(params: &Params, aliases: Vec<OscEntry>) -> Board {
        let shared = shared();
        let mapping = Mapping::new(&[], &aliases);
        let feeds = Feeds { beat: 3.9, fps: 25.0, ..Feeds::default() };
        Panel::new(shared.clone()).step(
            &Snapshot { params, feeds, mapping: &mapping, preset: None, dims: DIMS, scene: Scene::default() },
            0.0,
        );
        shared.board().clone()
    }

    #[test]
    fn only_changes_get_a_new_number_and_the_lock_is_never_waited_for() {
        let shared = shared();
        let mut panel = Panel::new(shared.clone());
        let mut params = Params::default();
        let mapping = Mapping::default();
        let psi = Place::Param(Id::Psi.into());
        let step = |panel: &mut Panel, params: &Params| {
            let (feeds, scene) = (Feeds::default(), Scene::default());
            panel.step(&Snapshot { params, feeds, mapping: &mapping, preset: None, dims: DIMS, scene }, 0.1);
        };
        step(&mut panel, &params);
        let first = shared.board().serial;
        assert_eq!(shared.board().arguments(psi), Some(vec![OscType::Float(0.7)]));
        step(&mut panel, &params);
        assert_eq!(shared.board().serial, first, "nothing changed");

        params.write(Id::Psi.into(), &Value::Float(0.25)).unwrap();
        params.write(Id::Network.into(), &Value::Text("a".to_owned())).unwrap();
        params.write(Id::ZVector.into(), &Value::List(vec![1.0])).unwrap();
        {
            let reading = shared.board();
            std::thread::scope(|scope| scope.spawn(|| step(&mut panel, &params)).join().unwrap());
            assert_eq!(reading.serial, first);
        }
        step(&mut panel, &params);
        let board = shared.board();
        assert_eq!(board.arguments(psi), Some(vec![OscType::Float(0.25)]));
        assert_eq!(board.arguments(Place::Param(Id::Network.into())), Some(vec![OscType::String("a".to_owned())]));
        let z = board.arguments(Place::Param(Id::ZVector.into())).unwrap();
        assert_eq!((z.len(), &z[0]), (64, &OscType::Float(1.0)));
        assert!(board.serial_of(psi) > first);
        assert_eq!(board.serial_of(Place::Param(Id::Seed.into())), first);
    }

    #[test]
    fn what_does_nothing_says_why() {
        let why = |dims: Dims, id: Id| dims.applies(id).err();
        for id in Table::built_in().ids().filter(|id| !id.def().address.starts_with("/transform/")) {
            assert_eq!(why(DIMS, id), None, "{id:?}");
        }
        assert_eq!(why(DIMS, Id::TransformX), Some("the network is no StyleGAN3"));
        let nothing = Dims { is_stylegan3: true, ..Dims::default() };
        for (id, reason) in [
            (Id::TransformX, None),
            (Id::NoiseGain, Some("a StyleGAN3 has no noise")),
            (Id::Class, Some("the network has no classes")),
            (Id::StyleNetwork, None),
            (Id::StyleA, Some("no style network plays")),
            (Id::FeedbackZoom, Some("no style network plays")),
            (Id::Input, None),
            (Id::InputAmount, Some("there is no /input")),
            (Id::NetworkB, None),
            (Id::NetworkMix, Some("there is no /network/b")),
        ] {
            assert_eq!(why(nothing, id), reason, "{id:?}");
        }
        let [bent, other] = [0, 1].map(|n| Id::of_bend(n)[2]);
        let bends = |bends: Bending| why(Dims { bends, ..DIMS }, bent);
        assert_eq!(bends(Bending { by_engine: false, ..DIMS.bends }), Some("the torch engine bends nothing"));
        assert_eq!(bends(Bending { layers: 0, ..DIMS.bends }), Some("the network has no layers that can be bent"));
        let without = Dims { bends: Bending { reached: [false, true, true, true], ..DIMS.bends }, ..DIMS };
        assert_eq!((why(without, bent), why(without, other)), (Some("the network has no such layer"), None));
        let one = Dims { styles: 1, ..DIMS };
        assert_eq!((why(one, Id::StyleBlend), why(one, Id::StyleA)), (Some("the style network has one style"), None));
    }

    #[test]
    fn members_beyond_the_network_are_hidden() {
        let board = board_of(&Params::default(), vec![OscEntry::plain("/1/fader".to_owned(), Id::Psi.into())]);
        assert!(board.find("/z/63").is_some() && board.find("/z/64").is_none());
        assert!(board.find("/style/mix/7").is_some() && board.find("/style/mix/8").is_none());
        assert_eq!(board.find("/1/fader"), Some(Place::Alias(0)));
        assert_eq!(board.arguments(Place::Alias(0)), Some(vec![OscType::Float(0.7)]));
        assert_eq!(board.find("/beat"), Some(Place::Feed(Feed::Beat)));
        assert!(board.places().all(|place| board.find(&board.address(place)) == Some(place)));
    }
}
