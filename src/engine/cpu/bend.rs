//! Network bending between two stages: see [`crate::engine::bend`].
//!
//! Rows of pixels are tasks; what reads its neighbours reads a copy of the map. Copies and what bends remember have the layout of
//! the map, and are allocated when a bend first needs them. Surplus channels stay as they are. Twin of `gpu/bend.rs`.

use pulp::{Simd, WithSimd};

use super::memory::{Floats, Map};
use super::{Frame, Slot};
use crate::engine::bend::{self, Bend, Bends, Choice, Edge, Kind, Layer, SLOTS, Warp, Work};
use crate::engine::memo::{Memo, MemoError};
use crate::engine::plan::Plan;

/// Most taps of a blur.
const MOST_TAPS: usize = 128;

/// What a slot keeps from picture to picture.
#[derive(Default)]
struct Held {
    /// Whose memory it is, if it holds something: a kind, a layer, and the seed of noise.
    owner: Option<(Kind, usize, u32)>,
    memory: Option<Floats>,
    /// Numbers in `memory`.
    len: usize,
    /// Which channels are bent: 1 or 0 for each.
    chosen: Vec<f32>,
    /// What `chosen` is for.
    choice: Option<Choice>,
}

/// The bends of a program.
pub struct Bender {
    layers: Vec<Layer>,
    held: [Held; SLOTS],
    scratch: Option<Floats>,
    /// Numbers in `scratch`.
    len: usize,
    order: Vec<(f64, usize)>,
    normals: Vec<f32>,
    epoch: u32,
}

impl Bender {
    pub fn new(plan: &Plan) -> Bender {
        let held = std::array::from_fn(|_| Held::default());
        let (order, normals) = (Vec::new(), Vec::new());
        Bender { layers: bend::layers(plan), held, scratch: None, len: 0, order, normals, epoch: 0 }
    }

    /// Call it before the first stage.
    pub fn begin(&mut self, bends: &Bends) {
        if self.epoch != bends.epoch {
            self.epoch = bends.epoch;
            self.held.iter_mut().for_each(|held| held.owner = None);
        }
        for (held, bend) in self.held.iter_mut().zip(&bends.slots) {
            if held.owner.is_some_and(|(kind, layer, _)| (kind, layer) != (bend.kind, bend.layer)) {
                held.owner = None;
            }
        }
    }

    /// Bends the map that step `step` has just written.
    pub fn after(&mut self, step: usize, frame: &Frame, bends: &Bends) {
        for (slot, bend) in bends.slots.iter().enumerate() {
            if self.layers.get(bend.layer).is_some_and(|layer| layer.step == step) {
                self.bend(slot, bend, frame, bends.secs);
            }
        }
    }

    fn bend(&mut self, slot: usize, bend: &Bend, frame: &Frame, secs: f32) {
        let layer = &self.layers[bend.layer];
        let Some(work) = bend.work(layer, secs) else { return };
        let map = frame.map(layer.out.0);
        let held = &mut self.held[slot];
        let choice = Some(bend.choice());
        if held.choice != choice {
            held.choice = choice;
            held.chosen.resize(layer.channels, 0.0);
            bend.choose(&mut held.chosen, &mut self.order);
        }
        let len = (map.height + 2) * map.row();
        if matches!(work, Work::Warp(..) | Work::Feedback(..) | Work::Disc { .. } | Work::Blur(_)) && self.len < len {
            (self.scratch, self.len) = (Some(Floats::new(len)), len);
        }
        let mut is_first = false;
        if bend.has_memory() {
            let owner = (bend.kind, bend.layer, if bend.kind == Kind::Noise { bend.seed } else { 0 });
            is_first = held.owner != Some(owner);
            if held.len != len {
                (held.memory, held.len) = (Some(Floats::new(len)), len);
            }
            held.owner = Some(owner);
            if let (true, Kind::Noise, Some(memory)) = (is_first, bend.kind, &mut held.memory) {
                let (memory, count) = (memory.as_mut_slice(), map.height * map.width);
                bend::fill_noise(bend.seed, layer.channels * count, &mut self.normals, |at, n| {
                    let (channel, pixel) = (at / count, at % count);
                    memory[map.at((pixel / map.width) as isize, (pixel % map.width) as isize) + channel] = n;
                });
            }
        }
        let pointer = |floats: &Option<Floats>| floats.as_ref().map_or(std::ptr::null_mut(), Floats::ptr);
        let (scratch, memory) = (pointer(&self.scratch), pointer(&held.memory));
        let mut taps = [0.0; MOST_TAPS];
        let mut reach = 0;
        if let Work::Blur(deviation) = work {
            reach = bend::reach(deviation).min(MOST_TAPS as i32 / 2 - 1);
            blur_taps(deviation, reach, &mut taps);
        }
        let row = Row { work, map, scratch, memory, chosen: &held.chosen, is_first, taps: &taps, reach, pass: 0, y: 0 };
        let passes: &[u8] = match work {
            Work::Linear { .. } | Work::Threshold(_) | Work::AddMemory(_) | Work::Freeze(_) => &[1],
            Work::Warp(..) | Work::Disc { .. } => &[0, 1],
            Work::Feedback(..) | Work::Blur(_) => &[1, 2],
        };
        for pass in passes {
            frame.turn.run(map.height, &|y, _| frame.isa.run(row.of(*pass, y)));
        }
    }

    /// What is remembered, written down or given back.
    ///
    /// # Errors
    /// As [`Memo`]'s.
    pub fn memo(&mut self, slots: &[Slot], memo: &mut Memo) -> Result<(), MemoError> {
        let Bender { layers, held, epoch, .. } = self;
        memo.u32(epoch)?;
        for held in held {
            // Noise is made again.
            let owner = held.owner.filter(|(kind, ..)| *kind != Kind::Noise);
            let (mut is_there, mut kind, mut number) = (owner.is_some(), 0u32, 0u64);
            memo.bool(&mut is_there)?;
            if let Some((owner, layer, _)) = owner {
                (kind, number) = (u32::from(owner == Kind::Freeze), layer as u64);
            }
            if !is_there {
                held.owner = held.owner.filter(|(kind, ..)| *kind == Kind::Noise && !memo.gives_back());
                continue;
            }
            memo.u32(&mut kind)?;
            memo.u64(&mut number)?;
            let layer = layers.get(number as usize).ok_or(MemoError::Short)?;
            let Slot::Map(map) = &slots[layer.out.0] else { return Err(MemoError::Short) };
            let len = (map.height + 2) * map.row();
            if memo.gives_back() {
                let kind = if kind == 1 { Kind::Freeze } else { Kind::Feedback };
                (held.memory, held.len) = (Some(Floats::new(len)), len);
                held.owner = Some((kind, number as usize, 0));
            }
            let Some(memory) = &mut held.memory else { return Err(MemoError::Short) };
            let mut bytes: Vec<u8> = memory.as_mut_slice().iter().flat_map(|x| x.to_le_bytes()).collect();
            memo.bytes(&mut bytes)?;
            if bytes.len() != len * 4 {
                return Err(MemoError::Short);
            }
            let numbers = memory.as_mut_slice().iter_mut();
            numbers.zip(bytes.as_chunks::<4>().0).for_each(|(to, from)| *to = f32::from_le_bytes(*from));
        }
        Ok(())
    }
}

/// The taps of a blur, with sum 1.
fn blur_taps(deviation: f32, reach: i32, taps: &mut [f32; MOST_TAPS]) {
    let weight = |at: i32| (-f64::from(at * at) / (2.0 * f64::from(deviation) * f64::from(deviation))).exp();
    let sum: f64 = (-reach..=reach).map(weight).sum();
    taps.iter_mut().zip(-reach..=reach).for_each(|(tap, at)| *tap = (weight(at) / sum) as f32);
}

/// One row of a pass. Pass 0 copies the map; 1 works on it; 2 is the second half of a blur, or keeps the result of feedback.
#[derive(Clone, Copy)]
struct Row<'a> {
    work: Work,
    map: &'a Map,
    scratch: *mut f32,
    memory: *mut f32,
    chosen: &'a [f32],
    is_first: bool,
    taps: &'a [f32],
    reach: i32,
    pass: u8,
    y: usize,
}

// SAFETY: tasks write different rows, and read others only of what no task of the pass writes.
unsafe impl Sync for Row<'_> {}

impl WithSimd for Row<'_> {
    type Output = ();
    // Plain loops over channels, which the compiler vectorises for the instruction set they are inlined into.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (map, y, channels) = (self.map, self.y, self.map.channels);
        for x in 0..map.width {
            let at = map.at(y as isize, x as isize);
            // SAFETY: inside the map, and inside copies and memory, which are as large; no two of them overlap, and only this
            // task writes this row of what the pass writes.
            unsafe {
                let slice = |start: *mut f32| std::slice::from_raw_parts_mut(start.add(at), channels);
                let out = slice(map.data.ptr());
                match (self.work, self.pass) {
                    (Work::Warp(..) | Work::Disc { .. }, 0) => slice(self.scratch).copy_from_slice(out),
                    (Work::Linear { gain, offset }, _) => self.put(out, |x| gain * x + offset),
                    (Work::Threshold(a), _) => self.put(out, |x| if x > a { 1.0 } else { 0.0 }),
                    (Work::AddMemory(a), _) => self.put_with(out, slice(self.memory), |x, m| x + a * m),
                    (Work::Freeze(_), _) if self.is_first => slice(self.memory).copy_from_slice(out),
                    (Work::Freeze(a), _) => self.put_with(out, slice(self.memory), |x, m| x + a * (m - x)),
                    (Work::Warp(warp, a), _) => self.warp(&warp, self.scratch, out, x, a),
                    (Work::Feedback(..), 1) if self.is_first => slice(self.scratch).copy_from_slice(out),
                    (Work::Feedback(warp, a), 1) => {
                        let to = slice(self.scratch);
                        to.copy_from_slice(out);
                        self.warp(&warp, self.memory, to, x, a);
                    }
                    (Work::Feedback(..), _) => {
                        out.copy_from_slice(slice(self.scratch));
                        slice(self.memory).copy_from_slice(out);
                    }
                    (Work::Disc { radius, is_most }, _) => self.disc(out, x, radius, is_most),
                    (Work::Blur(_), 1) => self.blur(map.data.ptr(), slice(self.scratch), [x, y], true),
                    (Work::Blur(_), _) => self.blur(self.scratch, out, [x, y], false),
                }
            }
        }
    }
}

impl Row<'_> {
    fn of(&self, pass: u8, y: usize) -> Self {
        Row { pass, y, ..*self }
    }

    #[inline(always)]
    fn put(&self, out: &mut [f32], f: impl Fn(f32) -> f32) {
        for (x, chosen) in out.iter_mut().zip(self.chosen) {
            let y = f(*x);
            *x = if *chosen != 0.0 { y } else { *x };
        }
    }

    #[inline(always)]
    fn put_with(&self, out: &mut [f32], other: &[f32], f: impl Fn(f32, f32) -> f32) {
        for ((x, chosen), other) in out.iter_mut().zip(self.chosen).zip(other) {
            let y = f(*x, *other);
            *x = if *chosen != 0.0 { y } else { *x };
        }
    }

    /// `out += a·(warped − out)`, read from `from`.
    ///
    /// # Safety
    /// `from` has the layout of the map, and no task writes it.
    #[inline(always)]
    unsafe fn warp(&self, warp: &Warp, from: *const f32, out: &mut [f32], x: usize, a: f32) {
        let map = self.map;
        let dx = x as f32 - (map.width as f32 - 1.0) / 2.0;
        let dy = self.y as f32 - (map.height as f32 - 1.0) / 2.0;
        let [sx, sy] = warp.rows.map(|[m, n, by]| m * dx + n * dy + by);
        let (left, top) = (sx.floor(), sy.floor());
        let (fx, fy) = (sx - left, sy - top);
        let side = |at: f32, side: usize| {
            // Where nothing is, something is read and counts nothing.
            let (at, side) = (at as i64, side as i64);
            let is_inside = (0..side).contains(&at);
            match warp.edge {
                Edge::Zero => (at.clamp(0, side - 1) as isize, if is_inside { 1.0 } else { 0.0 }),
                Edge::Clamp => (at.clamp(0, side - 1) as isize, 1.0),
                Edge::Wrap => (at.rem_euclid(side) as isize, 1.0f32),
            }
        };
        let (xs, ys) = (
            [side(left, map.width), side(left + 1.0, map.width)],
            [side(top, map.height), side(top + 1.0, map.height)],
        );
        let weights = [
            xs[0].1 * ys[0].1 * (1.0 - fx) * (1.0 - fy),
            xs[1].1 * ys[0].1 * fx * (1.0 - fy),
            xs[0].1 * ys[1].1 * (1.0 - fx) * fy,
            xs[1].1 * ys[1].1 * fx * fy,
        ];
        // SAFETY: inside the map.
        let corner = |y: usize, x: usize| unsafe {
            std::slice::from_raw_parts(from.add(map.at(ys[y].0, xs[x].0)), self.chosen.len())
        };
        let corners = [corner(0, 0), corner(0, 1), corner(1, 0), corner(1, 1)];
        let read = corners[0].iter().zip(corners[1]).zip(corners[2]).zip(corners[3]);
        for ((x, chosen), (((p, q), r), s)) in out.iter_mut().zip(self.chosen).zip(read) {
            let warped = weights[0] * p + weights[1] * q + weights[2] * r + weights[3] * s;
            let y = if a == 1.0 { warped } else { *x + a * (warped - *x) };
            *x = if *chosen != 0.0 { y } else { *x };
        }
    }

    /// # Safety
    /// The copy has the layout of the map, and no task writes it.
    #[inline(always)]
    unsafe fn disc(&self, out: &mut [f32], x: usize, radius: f32, is_most: bool) {
        let (map, inner) = (self.map, radius.floor());
        let sign = if is_most { 1.0 } else { -1.0 };
        let part = radius - inner;
        for (step, share) in [(0, 1.0 - part), (1, part)] {
            if share == 0.0 {
                continue;
            }
            let radius = inner as i32 + step;
            // In slices, so that the extremes stay in registers.
            const SOME: usize = 16;
            for start in (0..out.len()).step_by(SOME) {
                let end = out.len().min(start + SOME);
                let mut most = [f32::MIN; SOME];
                for dy in -radius..=radius {
                    let row = self.y as i32 + dy;
                    if !(0..map.height as i32).contains(&row) {
                        continue;
                    }
                    let half = bend::half_width(radius, dy);
                    let (from, to) = ((x as i32 - half).max(0), (x as i32 + half).min(map.width as i32 - 1));
                    for column in from..=to {
                        // SAFETY: inside the map.
                        let read = unsafe {
                            let at = map.at(row as isize, column as isize) + start;
                            std::slice::from_raw_parts(self.scratch.add(at).cast_const(), end - start)
                        };
                        most.iter_mut().zip(read).for_each(|(most, x)| *most = most.max(sign * x));
                    }
                }
                let chosen = &self.chosen[start..end];
                for ((x, chosen), most) in out[start..end].iter_mut().zip(chosen).zip(most) {
                    let y = if step == 1 && part < 1.0 { *x + share * sign * most } else { share * sign * most };
                    *x = if *chosen != 0.0 { y } else { *x };
                }
            }
        }
    }

    /// Along a row, for all channels; or along a column, for those that are chosen.
    ///
    /// # Safety
    /// `from` has the layout of the map, and no task writes it.
    #[inline(always)]
    unsafe fn blur(&self, from: *const f32, out: &mut [f32], [x, y]: [usize; 2], is_row: bool) {
        let map = self.map;
        const SOME: usize = 16;
        for start in (0..out.len()).step_by(SOME) {
            let end = out.len().min(start + SOME);
            let mut sum = [0.0; SOME];
            for (tap, by) in self.taps.iter().zip(-self.reach..=self.reach) {
                let (row, column) = if is_row { (y as i32, x as i32 + by) } else { (y as i32 + by, x as i32) };
                let (row, column) = (row.clamp(0, map.height as i32 - 1), column.clamp(0, map.width as i32 - 1));
                // SAFETY: inside the map.
                let read = unsafe {
                    let at = map.at(row as isize, column as isize) + start;
                    std::slice::from_raw_parts(from.add(at), end - start)
                };
                sum.iter_mut().zip(read).for_each(|(sum, x)| *sum += tap * x);
            }
            for ((x, chosen), sum) in out[start..end].iter_mut().zip(&self.chosen[start..end]).zip(sum) {
                *x = if is_row || *chosen != 0.0 { sum } else { *x };
            }
        }
    }
}
