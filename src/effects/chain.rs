//! Runs effects one after another, in a configurable order.
//!
//! Each effect has its own output surface, so every frame uses the same buffers and nothing is allocated while sizes stay
//! the same.

use super::crossfade::Crossfade;
use super::input::Input;
use super::style::Style;
use super::{Effect, Time, Values};
use crate::engine::EngineError;
use crate::engine::canvas::Canvas;
use crate::engine::surface::Surface;

/// One place in a chain's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Crossfade,
    Input,
    Style,
    /// One of [`Chain::others`], by index.
    Other(usize),
}

/// The default order.
pub const ORDER: [Link; 3] = [Link::Crossfade, Link::Input, Link::Style];

/// Effects, their order, and the pictures between them.
pub struct Chain {
    pub crossfade: Crossfade,
    pub input: Input,
    pub style: Style,
    /// Additional effects from a preset or file.
    others: Vec<Box<dyn Effect>>,
    order: Vec<Link>,
    /// The output of each link.
    outs: Vec<Surface>,
    /// Index in the order of the effect that made the last picture; `None` if none did.
    last: Option<usize>,
    fault: Option<String>,
}

impl Default for Chain {
    fn default() -> Self {
        let mut chain = Chain {
            crossfade: Crossfade::default(),
            input: Input::default(),
            style: Style::default(),
            others: Vec::new(),
            order: Vec::new(),
            outs: Vec::new(),
            last: None,
            fault: None,
        };
        chain.set(Vec::new(), ORDER.to_vec());
        chain
    }
}

impl Chain {
    /// Replaces the additional effects and the order; links to missing effects are dropped. Returns the previous effects.
    pub fn set(&mut self, others: Vec<Box<dyn Effect>>, mut order: Vec<Link>) -> Vec<Box<dyn Effect>> {
        order.retain(|link| !matches!(link, Link::Other(at) if *at >= others.len()));
        self.outs = order.iter().map(|_| Surface::default()).collect();
        self.order = order;
        self.last = None;
        std::mem::replace(&mut self.others, others)
    }

    /// Additional effects from a preset or file.
    pub fn others(&self) -> &[Box<dyn Effect>] {
        &self.others
    }

    /// Whether the network's picture is shown unchanged.
    pub fn is_idle(&self, values: &Values) -> bool {
        let fades = self.crossfade.before.is_some() && values.crossfade < 1.0;
        !fades && self.input.network_share(&values.input) >= 1.0 && self.style.is_none() && self.others.is_empty()
    }

    /// Processes `frame` into the picture to show, see [`Chain::made`]. If `is_fresh` is false, the network has not drawn
    /// this frame and `frame` is ignored. An effect that fails is skipped and reported ([`Chain::take_fault`]).
    ///
    /// # Errors
    /// When a device fails and `is_last_resort` is false: the caller can then make the picture elsewhere.
    pub fn run(
        &mut self,
        canvas: &mut dyn Canvas,
        frame: &mut Surface,
        values: &Values,
        time: Time,
        [is_fresh, is_last_resort]: [bool; 2],
    ) -> Result<(), EngineError> {
        let Chain { crossfade, input, style, others, order, outs, last, fault } = self;
        (*last, *fault) = (None, None);
        for (at, link) in order.iter().enumerate() {
            let effect: &mut dyn Effect = match link {
                Link::Crossfade if !is_fresh => continue,
                Link::Crossfade => crossfade,
                Link::Input => input,
                Link::Style => style,
                Link::Other(other) => &mut *others[*other],
            };
            let (before, rest) = outs.split_at_mut(at);
            let from = last.map_or(&mut *frame, |last| &mut before[last]);
            match effect.process(canvas, from, &mut rest[0], values, time) {
                Ok(true) => *last = Some(at),
                Ok(false) => {}
                Err(error @ EngineError::Unavailable { .. }) if !is_last_resort => return Err(error),
                Err(error) => *fault = Some(format!("{} left out: {error}", effect.name())),
            }
        }
        Ok(())
    }

    /// The result of the last run; `None` if it left the frame unchanged.
    pub fn made(&mut self) -> Option<&mut Surface> {
        Some(&mut self.outs[self.last?])
    }

    /// The effect that was skipped in the last picture, and why.
    pub fn take_fault(&mut self) -> Option<String> {
        self.fault.take()
    }

    /// From now on fades from the crossfade's last result, as a still.
    pub fn fade_from_mixture(&mut self) {
        let at = self.order.iter().position(|link| *link == Link::Crossfade);
        self.crossfade.before = at.map(|at| std::mem::take(&mut self.outs[at]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::canvas::Memory;
    use crate::image::Image;

    /// Adds or multiplies, or fails.
    struct Sum(Option<(f32, f32)>);

    impl Effect for Sum {
        fn name(&self) -> &str {
            "sum"
        }

        fn process(
            &mut self,
            _: &mut dyn Canvas,
            frame: &mut Surface,
            out: &mut Surface,
            _: &Values,
            _: Time,
        ) -> Result<bool, EngineError> {
            let Some((gain, offset)) = self.0 else {
                return Err(EngineError::Unavailable { engine: "test", reason: "broken".into() });
            };
            out.write(frame.shape()).data[0] = frame.bring()?.data[0] * gain + offset;
            Ok(true)
        }
    }

    fn run(chain: &mut Chain, is_last_resort: bool) -> Result<f32, EngineError> {
        let mut frame = Surface::from(Image { channels: 1, height: 1, width: 1, data: vec![3.0] });
        let values = Values { crossfade: 1.0, ..Values::default() };
        chain.run(&mut Memory::default(), &mut frame, &values, Time::default(), [true, is_last_resort])?;
        Ok(chain.made().unwrap_or(&mut frame).bring()?.data[0])
    }

    #[test]
    fn the_order_is_configurable() {
        let mut chain = Chain::default();
        let two = || -> Vec<Box<dyn Effect>> { vec![Box::new(Sum(Some((2.0, 0.0)))), Box::new(Sum(Some((1.0, 5.0))))] };
        assert_eq!(run(&mut chain, true).expect("runs"), 3.0, "no effect is active");
        for (order, expected) in [
            (vec![Link::Other(0), Link::Input, Link::Other(1)], 11.0),
            (vec![Link::Other(1), Link::Other(0)], 16.0),
            (vec![Link::Other(1), Link::Other(9)], 8.0),
        ] {
            chain.set(two(), order);
            assert_eq!(run(&mut chain, true).expect("runs"), expected);
        }
        assert_eq!(chain.set(Vec::new(), ORDER.to_vec()).len(), 2, "the previous effects are returned");
    }

    #[test]
    fn an_effect_that_fails_is_skipped_and_reported() {
        let mut chain = Chain::default();
        chain.set(vec![Box::new(Sum(None)), Box::new(Sum(Some((2.0, 0.0))))], vec![Link::Other(0), Link::Other(1)]);
        assert!(run(&mut chain, false).is_err(), "it may work elsewhere");
        assert_eq!(run(&mut chain, true).expect("the others play"), 6.0);
        assert_eq!(chain.take_fault().expect("a line"), "sum left out: the test engine: broken");
    }
}
