//! Pictures and videos, mixed with the network's picture.
//!
//! [`Input`] holds the current picture and the previous one, which it fades from; either may move, and of a still one a window
//! may be seen that drifts. It allocates only when a size changes. Files are read elsewhere: on the loader's thread, or by the
//! threads of a [`Footage`].

use std::borrow::Cow;

use super::blend::Blend;
use super::{Effect, Time, Values};
use crate::engine::EngineError;
use crate::engine::canvas::Canvas;
use crate::engine::memo::{Memo, MemoError};
use crate::engine::pass::{Pass, Threads, Work};
use crate::engine::surface::Surface;
use crate::footage::Footage;
use crate::image::Image;
use crate::image::convert::float_from_byte;
use crate::image::resample::{Window, windowed};

/// A window of a picture, enlarged to the whole.
static DRIFT: Pass = Pass {
    name: Cow::Borrowed("drift"),
    wgsl: Cow::Borrowed(include_str!("../../shaders/effects/drift.wgsl")),
    reads: 1,
    uniforms: &["count", "width", "height", "left", "top", "size"],
    threads: Threads::Numbers,
    twin: Some(drift),
};

pub static PASSES: [&Pass; 1] = [&DRIFT];

fn drift(work: &mut Work) {
    let window = Window { left: work.float(3), top: work.float(4), size: work.float(5) };
    let [picture, ..] = work.reads;
    windowed(picture, window, work.scratch, work.to);
}

/// Where something that moves is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The number of its picture.
    pub frame: u64,
    /// Whether that picture is there; until it is, another one is shown.
    pub is_there: bool,
}

/// How the input is mixed into one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InputSettings {
    /// 0 shows only the network, 1 only the input.
    pub amount: f32,
    /// From the previous picture (0) to the newest (1).
    pub fade: f32,
    /// Identifies the newest picture; see [`Input::change`].
    pub serial: u64,
    /// Of the newest picture and of the previous one, if they move.
    pub moments: [Moment; 2],
    /// What is seen of the newest picture and of the previous one, if they are still.
    pub windows: [Window; 2],
    /// Whether exactly these pictures are waited for: offline.
    pub waits: bool,
}

/// What can be mixed in.
#[derive(Debug)]
pub enum Content {
    /// `[3, S, S]`
    Still(Image),
    Moving(Footage),
}

impl From<Image> for Content {
    fn from(image: Image) -> Content {
        Content::Still(image)
    }
}

/// A picture that is mixed in.
#[derive(Debug, Default)]
pub struct Shown {
    /// Empty until something that moves has its first picture.
    surface: Surface,
    footage: Option<Footage>,
    /// The number of the picture in `surface`.
    frame: Option<u64>,
    /// The window of this moment.
    drifted: Surface,
    /// Whether it is a mix that stays as it was seen.
    is_held: bool,
}

impl From<Content> for Shown {
    fn from(content: Content) -> Shown {
        match content {
            Content::Still(image) => Shown { surface: image.into(), ..Shown::default() },
            Content::Moving(footage) => Shown { footage: Some(footage), ..Shown::default() },
        }
    }
}

impl Shown {
    fn is_seen(&self) -> bool {
        !self.surface.is_empty()
    }

    /// What is remembered of one that need not be there.
    fn memo(shown: &mut Option<Shown>, memo: &mut Memo) -> Result<(), MemoError> {
        let mut is_there = shown.is_some();
        memo.bool(&mut is_there)?;
        if !is_there {
            *shown = None;
            return Ok(());
        }
        let shown = shown.get_or_insert_default();
        memo.surface(&mut shown.surface)?;
        let (mut has_frame, mut frame) = (shown.frame.is_some(), shown.frame.unwrap_or_default());
        memo.bool(&mut has_frame)?;
        memo.u64(&mut frame)?;
        shown.frame = has_frame.then_some(frame);
        memo.bool(&mut shown.is_held)?;
        let mut moves = shown.footage.is_some();
        memo.bool(&mut moves)?;
        if !moves {
            shown.footage = None;
        }
        Ok(())
    }

    /// Whether all of it is seen, whatever the window.
    fn is_whole(&self, window: Window) -> bool {
        let [_, height, width] = self.surface.shape();
        self.footage.is_some() || self.is_held || !window.enlarges(height, width)
    }

    /// What is seen of it.
    fn seen(&mut self, canvas: &mut dyn Canvas, window: Window) -> Result<&mut Surface, EngineError> {
        if self.is_whole(window) {
            return Ok(&mut self.surface);
        }
        let shape = self.surface.shape();
        canvas.shape(&mut self.drifted, shape)?;
        let [count, width, height] = [shape.iter().product(), shape[2], shape[1]].map(|n| n as u32);
        let [left, top, size] = [window.left, window.top, window.size].map(f32::to_bits);
        let uniforms = [count, width, height, left, top, size];
        canvas.run(&DRIFT, &uniforms, &mut [&mut self.surface], &mut self.drifted)?;
        Ok(&mut self.drifted)
    }

    /// Stays as it was seen last.
    fn hold(&mut self, window: Window, [half_done, whole]: &mut [Image; 2]) {
        // It came from a file, so it is in memory too.
        if !self.is_whole(window)
            && let Ok(image) = self.surface.image_mut()
        {
            windowed(image, window, half_done, whole);
            image.data.copy_from_slice(&whole.data);
        }
        (self.footage, self.is_held) = (None, true);
    }

    /// Brings the picture of this moment.
    fn move_to(&mut self, moment: Moment, waits: bool) {
        let Some(footage) = &self.footage else { return };
        if self.frame == Some(moment.frame) && footage.length().is_some() {
            return;
        }
        let Some((frame, bytes)) = footage.read(moment.frame, waits).filter(|(frame, _)| self.frame != Some(*frame))
        else {
            return;
        };
        self.frame = Some(frame);
        let side = footage.side();
        let image = self.surface.write([3, side, side]);
        let plane = side * side;
        let (red, rest) = image.data.split_at_mut(plane);
        let (green, blue) = rest.split_at_mut(plane);
        let pixels = bytes.as_chunks::<3>().0.iter();
        for (((pixel, red), green), blue) in pixels.zip(red).zip(green).zip(blue) {
            [*red, *green, *blue] = pixel.map(float_from_byte);
        }
    }
}

/// The current picture, and the one it fades from.
#[derive(Debug, Default)]
pub struct Input {
    now: Option<Shown>,
    before: Option<Shown>,
    /// The visible share of the previous picture when the newest arrived.
    before_share: f32,
    serial: u64,
    /// The fade of the last mix, and its windows.
    faded: f32,
    windows: [Window; 2],
    blend: Blend,
    scratch: [Image; 2],
}

impl Input {
    /// Starts fading to a picture, or to none; returns one that is no longer needed. Requests with a smaller `serial` still
    /// show the previous state.
    pub fn change(&mut self, content: Option<Content>, serial: u64) -> Option<Shown> {
        self.serial = serial;
        self.before_share = if self.faded < 1.0 { self.hold() } else { 1.0 };
        self.faded = 0.0;
        let gone = std::mem::replace(&mut self.before, self.now.take());
        self.now = content.map(Shown::from);
        gone
    }

    /// In the middle of a fade: replaces the newest picture by the mix that was last visible, which no longer moves. Returns
    /// its share; the rest is the network's.
    fn hold(&mut self) -> f32 {
        let (new, old) = (self.faded, (1.0 - self.faded) * self.before_share);
        let (windows, scratch) = (self.windows, &mut self.scratch);
        match (&mut self.now, &mut self.before) {
            (Some(now), Some(before))
                if now.is_seen() && now.surface.shape() == before.surface.shape() && new + old > 0.0 =>
            {
                let (a, b) = (new / (new + old), old / (new + old));
                now.hold(windows[0], scratch);
                before.hold(windows[1], scratch);
                // Both came from files, so they are in memory too.
                if let (Ok(now), Ok(before)) = (now.surface.image_mut(), before.surface.bring()) {
                    now.data.iter_mut().zip(&before.data).for_each(|(now, before)| *now = a * *now + b * before);
                }
                new + old
            }
            // Different size: cut.
            (Some(now), Some(_)) if now.is_seen() => 1.0,
            (Some(now), None) if now.is_seen() => new,
            // What has no picture yet was not seen.
            _ => {
                self.now = self.before.take();
                // Its place in the request is another's from now on.
                if let Some(now) = self.now.as_mut().filter(|now| now.footage.is_none()) {
                    now.hold(windows[1], scratch);
                }
                old
            }
        }
    }

    /// The shares of the newest and the previous picture; the network's is the remainder to 1.
    fn shares(&self, settings: &InputSettings) -> [f32; 2] {
        let fade = if settings.serial < self.serial { 0.0 } else { settings.fade.clamp(0.0, 1.0) };
        let share = |shown: &Option<Shown>, share: f32| {
            if shown.as_ref().is_some_and(Shown::is_seen) { share * settings.amount } else { 0.0 }
        };
        [share(&self.now, fade), share(&self.before, (1.0 - fade) * self.before_share)]
    }

    /// Notes a picture that is shown with these settings.
    fn note(&mut self, settings: &InputSettings) {
        self.faded = if settings.serial < self.serial { 0.0 } else { settings.fade };
        self.windows = self.windows_of(settings);
    }

    /// What is seen of the newest picture and of the previous one.
    fn windows_of(&self, settings: &InputSettings) -> [Window; 2] {
        let [newest, before] = settings.windows;
        // What was the newest for an older request is the previous one by now.
        if settings.serial < self.serial { [Window::WHOLE, newest] } else { [newest, before] }
    }

    /// Notes a picture that is not made. What moves is brought all the same: a fade may stop in the middle.
    pub fn pass_over(&mut self, settings: &InputSettings) {
        self.prepare(settings);
        if self.network_share(settings) < 1.0 {
            self.note(settings);
        }
    }

    /// What it remembers.
    ///
    /// # Errors
    /// As [`Memo::surface`].
    pub fn memo(&mut self, memo: &mut Memo) -> Result<(), MemoError> {
        Shown::memo(&mut self.now, memo)?;
        Shown::memo(&mut self.before, memo)?;
        memo.f32(&mut self.before_share)?;
        memo.f32(&mut self.faded)?;
        for window in &mut self.windows {
            memo.f32(&mut window.left)?;
            memo.f32(&mut window.top)?;
            memo.f32(&mut window.size)?;
        }
        memo.u64(&mut self.serial)
    }

    /// The visible share of the network's picture, 0 to 1; at 0 it need not be drawn.
    pub fn network_share(&self, settings: &InputSettings) -> f32 {
        let [now, before] = self.shares(settings);
        // The two shares of a fade add up to 1, up to rounding.
        let left = 1.0 - now - before;
        if left < 1e-6 { 0.0 } else { left }
    }

    /// Brings the pictures of this moment; called before shares are known.
    pub fn prepare(&mut self, settings: &InputSettings) {
        // An older request is for what was there before.
        if settings.serial < self.serial || settings.amount <= 0.0 {
            return;
        }
        let is_fading = settings.fade < 1.0;
        for (shown, moment) in [(&mut self.now, 0), (&mut self.before, 1)] {
            if let Some(shown) = shown.as_mut().filter(|_| moment == 0 || is_fading) {
                shown.move_to(settings.moments[moment], settings.waits);
            }
        }
    }
}

impl Effect for Input {
    fn name(&self) -> &str {
        "input"
    }

    /// `out` has the input's size. A grey picture is mixed as grey; `frame` is ignored if its share is 0.
    fn process(
        &mut self,
        canvas: &mut dyn Canvas,
        frame: &mut Surface,
        out: &mut Surface,
        values: &Values,
        _: Time,
    ) -> Result<bool, EngineError> {
        let settings = &values.input;
        let rest = self.network_share(settings);
        if rest >= 1.0 {
            return Ok(false);
        }
        let shares = self.shares(settings);
        self.note(settings);
        let is_seen = |shown: &&Shown| shown.is_seen();
        let first = self.now.as_ref().filter(is_seen).or(self.before.as_ref().filter(is_seen));
        let Some(first) = first else { return Ok(false) };
        let [_, height, width] = first.surface.shape();
        // Missing ones have no share.
        let mut nothing = [Shown::default(), Shown::default()];
        let [a, b] = &mut nothing;
        let (now, before) = (self.now.as_mut().unwrap_or(a), self.before.as_mut().unwrap_or(b));
        // What has no share need not be enlarged.
        let windows = [0, 1].map(|at| if shares[at] > 0.0 { self.windows[at] } else { Window::WHOLE });
        let (now, before) = (now.seen(canvas, windows[0])?, before.seen(canvas, windows[1])?);
        let parts = [(now, shares[0]), (before, shares[1]), (frame, rest)];
        self.blend.sum(canvas, parts, [3, height, width], out)?;
        Ok(true)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::engine::canvas::Memory;

    fn plain(channels: usize, side: usize, value: f32) -> Image {
        let mut image = Image::new(channels, side, side);
        image.data.fill(value);
        image
    }

    /// The input with a network's picture of 8 x 8, all of it −0.5.
    /// What a footage shows at this place.
    fn at(frame: u64) -> Moment {
        Moment { frame, is_there: true }
    }

    fn mix(input: &mut Input, channels: usize, settings: InputSettings) -> Image {
        let (mut frame, mut out) = (Surface::from(plain(channels, 8, -0.5)), Surface::default());
        let values = Values { input: settings, ..Values::default() };
        let canvas = &mut Memory::default();
        input.prepare(&settings);
        let has_mixed = input.process(canvas, &mut frame, &mut out, &values, Time::default()).expect("memory has room");
        if has_mixed { out } else { frame }.into_image()
    }

    fn mixed(input: &mut Input, amount: f32, fade: f32, serial: u64) -> f32 {
        mix(input, 3, InputSettings { amount, fade, serial, ..InputSettings::default() }).data[50]
    }

    #[test]
    fn amount_and_fade_mix_network_and_pictures() {
        let mut input = Input::default();
        let alone = InputSettings { amount: 1.0, fade: 1.0, ..InputSettings::default() };
        assert_eq!(input.network_share(&alone), 1.0, "no picture yet");
        assert!(input.change(Some(plain(3, 16, 0.5).into()), 1).is_none());
        for (amount, fade, expected) in
            [(1.0, 1.0, 0.5), (0.0, 1.0, -0.5), (0.5, 1.0, 0.0), (1.0, 0.0, -0.5), (1.0, 0.5, 0.0)]
        {
            assert!((mixed(&mut input, amount, fade, 1) - expected).abs() < 1e-5, "{amount} {fade}");
        }
        mixed(&mut input, 1.0, 1.0, 1);
        assert!(input.change(Some(plain(3, 16, 0.9).into()), 2).is_none());
        assert!((mixed(&mut input, 1.0, 0.25, 2) - 0.6).abs() < 1e-5);
        // A request from before the change does not show it.
        assert!((mixed(&mut input, 1.0, 1.0, 1) - 0.5).abs() < 1e-5);
    }

    #[test]
    fn a_change_in_the_middle_of_a_fade_continues_from_there() {
        let mut input = Input::default();
        input.change(Some(plain(3, 16, 0.0).into()), 1);
        mixed(&mut input, 1.0, 1.0, 1);
        input.change(Some(plain(3, 16, 0.8).into()), 2);
        assert!((mixed(&mut input, 1.0, 0.5, 2) - 0.4).abs() < 1e-5);
        assert!(input.change(None, 3).is_some(), "the oldest is returned");
        assert!((mixed(&mut input, 1.0, 0.0, 3) - 0.4).abs() < 1e-5);
        let gone = InputSettings { amount: 1.0, fade: 1.0, serial: 3, ..InputSettings::default() };
        assert_eq!(input.network_share(&gone), 1.0);
    }

    #[test]
    fn a_change_in_the_middle_of_the_first_fade_continues_from_there() {
        let mut input = Input::default();
        input.change(Some(plain(3, 16, 1.0).into()), 1);
        let seen = mixed(&mut input, 1.0, 0.25, 1);
        // Another picture, then none.
        input.change(Some(plain(3, 16, 0.5).into()), 2);
        assert!((mixed(&mut input, 1.0, 0.0, 2) - seen).abs() < 1e-6);
        let seen = mixed(&mut input, 1.0, 0.5, 2);
        input.change(None, 3);
        assert!((mixed(&mut input, 1.0, 0.0, 3) - seen).abs() < 1e-6);
        let seen = mixed(&mut input, 1.0, 0.5, 3);
        input.change(Some(plain(3, 16, -1.0).into()), 4);
        assert!((mixed(&mut input, 1.0, 0.0, 4) - seen).abs() < 1e-6);
    }

    #[test]
    fn a_grey_network_is_mixed_as_grey() {
        let mut input = Input::default();
        input.change(Some(plain(3, 16, 0.5).into()), 1);
        let out = mix(&mut input, 1, InputSettings { amount: 0.5, fade: 1.0, serial: 1, ..InputSettings::default() });
        assert!(out.data.len() == 3 * 256 && out.data.iter().all(|v| v.abs() < 1e-6));
    }

    #[test]
    fn what_moves_goes_on_moving_while_it_fades() {
        let mut input = Input::default();
        let clip = Footage::of_colours(16, 10.0, &[[255, 0, 0], [0, 255, 0]]);
        input.change(Some(Content::Moving(clip)), 1);
        let settings = InputSettings { amount: 1.0, fade: 1.0, serial: 1, ..InputSettings::default() };
        let red = |input: &mut Input, settings: InputSettings| mix(input, 3, settings).data[50];
        let mut seen = [0, 1, 0].map(|frame| red(&mut input, InputSettings { moments: [at(frame); 2], ..settings }));
        assert_eq!(seen, [1.0, -1.0, 1.0]);
        input.change(Some(plain(3, 16, 0.0).into()), 2);
        seen = [0, 1, 0].map(|frame| {
            red(&mut input, InputSettings { fade: 0.5, serial: 2, moments: [at(9), at(frame)], ..settings })
        });
        assert_eq!(seen, [0.5, -0.5, 0.5], "half of it");
        // The mix is held when something else comes.
        input.change(None, 3);
        let held = InputSettings { fade: 0.0, serial: 3, moments: [at(1); 2], ..settings };
        assert_eq!(red(&mut input, held), 0.5);
    }

    #[test]
    fn a_still_picture_drifts_and_stays_where_it_was_when_it_is_held() {
        let mut ramp = plain(3, 16, 0.0);
        ramp.data.iter_mut().enumerate().for_each(|(i, v)| *v = (i % 16) as f32 / 16.0);
        let mut input = Input::default();
        input.change(Some(ramp.into()), 1);
        let part = Window { left: 0.5, top: 0.25, size: 0.5 };
        let settings =
            InputSettings { amount: 1.0, fade: 1.0, serial: 1, windows: [part, Window::WHOLE], ..Default::default() };
        // Pixel 2 of 16 lies a sixteenth plus a sixty-fourth to the right of the window's corner.
        let expected = (16.0 * (0.5 + 2.5 / 16.0 * 0.5) - 0.5) / 16.0;
        let seen = |input: &mut Input, settings| mix(input, 3, settings).data[50];
        assert!((seen(&mut input, settings) - expected).abs() < 1e-5, "{}", seen(&mut input, settings));
        // An older request is for what is the previous one by now.
        input.change(Some(plain(3, 16, 0.0).into()), 2);
        assert!((seen(&mut input, settings) - expected).abs() < 1e-5);
        let fading = InputSettings { serial: 2, fade: 0.5, windows: [Window::WHOLE, part], ..settings };
        assert!((seen(&mut input, fading) - expected / 2.0).abs() < 1e-5);
        // In the middle of the fade the mix is held, wherever the windows go.
        input.change(Some(plain(3, 16, 0.0).into()), 3);
        for windows in [[Window::WHOLE; 2], [part; 2]] {
            let held = InputSettings { serial: 3, fade: 0.0, windows, ..settings };
            assert!((seen(&mut input, held) - expected / 2.0).abs() < 1e-5, "{windows:?}");
        }
    }

    #[test]
    fn what_has_no_picture_yet_does_not_darken_anything() {
        let mut input = Input::default();
        input.change(Some(plain(3, 16, 0.5).into()), 1);
        assert_eq!(mixed(&mut input, 1.0, 1.0, 1), 0.5);
        input.change(Some(Content::Moving(Footage::of_colours(16, 10.0, &[]))), 2);
        assert_eq!(mixed(&mut input, 1.0, 0.0, 2), 0.5);
        assert_eq!(mixed(&mut input, 1.0, 1.0, 2), -0.5, "the network");
    }
}
