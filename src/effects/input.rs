//! Pictures from files, mixed with the network's picture.
//!
//! [`Input`] holds the current picture and the previous one, which it fades from. It allocates only when a size changes.
//! Files are read elsewhere, on the loader's thread.

use super::blend::Blend;
use super::{Effect, Time, Values};
use crate::engine::EngineError;
use crate::engine::canvas::Canvas;
use crate::engine::surface::Surface;
use crate::image::Image;

/// How the input is mixed into one picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InputSettings {
    /// 0 shows only the network, 1 only the input.
    pub amount: f32,
    /// From the previous picture (0) to the newest (1).
    pub fade: f32,
    /// Identifies the newest picture; see [`Input::change`].
    pub serial: u64,
}

/// The current picture, and the one it fades from.
#[derive(Debug, Default)]
pub struct Input {
    now: Option<Surface>,
    before: Option<Surface>,
    /// The visible share of the previous picture when the newest arrived.
    before_share: f32,
    serial: u64,
    /// The fade of the last mix.
    faded: f32,
    blend: Blend,
}

impl Input {
    /// Starts fading to a picture `[3, S, S]`, or to none; returns a surface that is no longer needed. Requests with a
    /// smaller `serial` still show the previous state.
    pub fn change(&mut self, picture: Option<Image>, serial: u64) -> Option<Surface> {
        self.serial = serial;
        self.before_share = if self.faded < 1.0 { self.hold() } else { 1.0 };
        self.faded = 0.0;
        let gone = std::mem::replace(&mut self.before, self.now.take());
        self.now = picture.map(Surface::from);
        gone
    }

    /// In the middle of a fade: replaces the newest picture by the mix that was last visible. Returns its share; the rest is
    /// the network's.
    fn hold(&mut self) -> f32 {
        let (new, old) = (self.faded, (1.0 - self.faded) * self.before_share);
        match (&mut self.now, &mut self.before) {
            (Some(now), Some(before)) if now.shape() == before.shape() && new + old > 0.0 => {
                let (a, b) = (new / (new + old), old / (new + old));
                // Both came from files, so they are in memory too.
                if let (Ok(now), Ok(before)) = (now.image_mut(), before.bring()) {
                    now.data.iter_mut().zip(&before.data).for_each(|(now, before)| *now = a * *now + b * before);
                }
                new + old
            }
            // Different size: cut.
            (Some(_), Some(_)) => 1.0,
            (Some(_), None) => new,
            (None, _) => {
                self.now = self.before.take();
                old
            }
        }
    }

    /// The shares of the newest and the previous picture; the network's is the remainder to 1.
    fn shares(&self, settings: &InputSettings) -> [f32; 2] {
        let fade = if settings.serial < self.serial { 0.0 } else { settings.fade.clamp(0.0, 1.0) };
        let share =
            |picture: &Option<Surface>, share: f32| if picture.is_some() { share * settings.amount } else { 0.0 };
        [share(&self.now, fade), share(&self.before, (1.0 - fade) * self.before_share)]
    }

    /// The visible share of the network's picture, 0 to 1; at 0 it need not be drawn.
    pub fn network_share(&self, settings: &InputSettings) -> f32 {
        let [now, before] = self.shares(settings);
        // The two shares of a fade add up to 1, up to rounding.
        let left = 1.0 - now - before;
        if left < 1e-6 { 0.0 } else { left }
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
        self.faded = if settings.serial < self.serial { 0.0 } else { settings.fade };
        let Some(first) = self.now.as_ref().or(self.before.as_ref()) else { return Ok(false) };
        let [_, height, width] = first.shape();
        // Missing ones have no share.
        let mut nothing = [Surface::default(), Surface::default()];
        let [a, b] = &mut nothing;
        let (now, before) = (self.now.as_mut().unwrap_or(a), self.before.as_mut().unwrap_or(b));
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
    fn mix(input: &mut Input, channels: usize, settings: InputSettings) -> Image {
        let (mut frame, mut out) = (Surface::from(plain(channels, 8, -0.5)), Surface::default());
        let values = Values { input: settings, ..Values::default() };
        let canvas = &mut Memory::default();
        let has_mixed = input.process(canvas, &mut frame, &mut out, &values, Time::default()).expect("memory has room");
        if has_mixed { out } else { frame }.into_image()
    }

    fn mixed(input: &mut Input, amount: f32, fade: f32, serial: u64) -> f32 {
        mix(input, 3, InputSettings { amount, fade, serial }).data[50]
    }

    #[test]
    fn amount_and_fade_mix_network_and_pictures() {
        let mut input = Input::default();
        let alone = InputSettings { amount: 1.0, fade: 1.0, serial: 0 };
        assert_eq!(input.network_share(&alone), 1.0, "no picture yet");
        assert!(input.change(Some(plain(3, 16, 0.5)), 1).is_none());
        for (amount, fade, expected) in
            [(1.0, 1.0, 0.5), (0.0, 1.0, -0.5), (0.5, 1.0, 0.0), (1.0, 0.0, -0.5), (1.0, 0.5, 0.0)]
        {
            assert!((mixed(&mut input, amount, fade, 1) - expected).abs() < 1e-5, "{amount} {fade}");
        }
        mixed(&mut input, 1.0, 1.0, 1);
        assert!(input.change(Some(plain(3, 16, 0.9)), 2).is_none());
        assert!((mixed(&mut input, 1.0, 0.25, 2) - 0.6).abs() < 1e-5);
        // A request from before the change does not show it.
        assert!((mixed(&mut input, 1.0, 1.0, 1) - 0.5).abs() < 1e-5);
    }

    #[test]
    fn a_change_in_the_middle_of_a_fade_continues_from_there() {
        let mut input = Input::default();
        input.change(Some(plain(3, 16, 0.0)), 1);
        mixed(&mut input, 1.0, 1.0, 1);
        input.change(Some(plain(3, 16, 0.8)), 2);
        assert!((mixed(&mut input, 1.0, 0.5, 2) - 0.4).abs() < 1e-5);
        assert!(input.change(None, 3).is_some(), "the oldest is returned");
        assert!((mixed(&mut input, 1.0, 0.0, 3) - 0.4).abs() < 1e-5);
        let gone = InputSettings { amount: 1.0, fade: 1.0, serial: 3 };
        assert_eq!(input.network_share(&gone), 1.0);
    }

    #[test]
    fn a_change_in_the_middle_of_the_first_fade_continues_from_there() {
        let mut input = Input::default();
        input.change(Some(plain(3, 16, 1.0)), 1);
        let seen = mixed(&mut input, 1.0, 0.25, 1);
        // Another picture, then none.
        input.change(Some(plain(3, 16, 0.5)), 2);
        assert!((mixed(&mut input, 1.0, 0.0, 2) - seen).abs() < 1e-6);
        let seen = mixed(&mut input, 1.0, 0.5, 2);
        input.change(None, 3);
        assert!((mixed(&mut input, 1.0, 0.0, 3) - seen).abs() < 1e-6);
        let seen = mixed(&mut input, 1.0, 0.5, 3);
        input.change(Some(plain(3, 16, -1.0)), 4);
        assert!((mixed(&mut input, 1.0, 0.0, 4) - seen).abs() < 1e-6);
    }

    #[test]
    fn a_grey_network_is_mixed_as_grey() {
        let mut input = Input::default();
        input.change(Some(plain(3, 16, 0.5)), 1);
        let out = mix(&mut input, 1, InputSettings { amount: 0.5, fade: 1.0, serial: 1 });
        assert!(out.data.len() == 3 * 256 && out.data.iter().all(|v| v.abs() < 1e-6));
    }
}
