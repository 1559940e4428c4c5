//! Effects one after another, in an order that is data.
//!
//! Each works into a picture of its own, so that the same buffers meet in every frame and nothing is made while sizes stay.

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
    /// One of [`Chain::others`], by its place there.
    Other(usize),
}

/// What a show plays when nothing says otherwise.
pub const ORDER: [Link; 3] = [Link::Crossfade, Link::Input, Link::Style];

/// Effects, their order, and the pictures between them.
pub struct Chain {
    pub crossfade: Crossfade,
    pub input: Input,
    pub style: Style,
    /// Effects that a preset or a file brings.
    others: Vec<Box<dyn Effect>>,
    order: Vec<Link>,
    /// What each link of the order made.
    outs: Vec<Surface>,
    /// The place in the order of what made the last picture; `None` when none did.
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
    /// Plays other effects, or the same in another order; links to effects that are not there are left out. Gives back the
    /// effects that were there.
    pub fn set(&mut self, others: Vec<Box<dyn Effect>>, mut order: Vec<Link>) -> Vec<Box<dyn Effect>> {
        order.retain(|link| !matches!(link, Link::Other(at) if *at >= others.len()));
        self.outs = order.iter().map(|_| Surface::default()).collect();
        self.order = order;
        self.last = None;
        std::mem::replace(&mut self.others, others)
    }

    /// Effects that a preset or a file brings.
    pub fn others(&self) -> &[Box<dyn Effect>] {
        &self.others
    }

    /// Is there nothing to be done to a picture that the network made?
    pub fn is_idle(&self, values: &Values) -> bool {
        let fades = self.crossfade.before.is_some() && values.crossfade < 1.0;
        !fades && self.input.network_share(&values.input) >= 1.0 && self.style.is_none() && self.others.is_empty()
    }

    /// Makes of `frame` what is shown, see [`Chain::made`]. `is_fresh` says that the network made it just now; else it is not
    /// looked at. An effect that fails is left out, with a line ([`Chain::take_fault`]).
    ///
    /// # Errors
    /// When a device fails and `is_last_resort` is false: then the picture is better made elsewhere.
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

    /// What the last run made; `None` when it left the frame as it was.
    pub fn made(&mut self) -> Option<&mut Surface> {
        Some(&mut self.outs[self.last?])
    }

    /// Which effect was left out of the last picture, and why.
    pub fn take_fault(&mut self) -> Option<String> {
        self.fault.take()
    }

    /// From now on fades from what the crossfade made last, as it stands.
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
    fn the_order_is_data() {
        let mut chain = Chain::default();
        let two = || -> Vec<Box<dyn Effect>> { vec![Box::new(Sum(Some((2.0, 0.0)))), Box::new(Sum(Some((1.0, 5.0))))] };
        assert_eq!(run(&mut chain, true).expect("runs"), 3.0, "nothing plays");
        for (order, expected) in [
            (vec![Link::Other(0), Link::Input, Link::Other(1)], 11.0),
            (vec![Link::Other(1), Link::Other(0)], 16.0),
            (vec![Link::Other(1), Link::Other(9)], 8.0),
        ] {
            chain.set(two(), order);
            assert_eq!(run(&mut chain, true).expect("runs"), expected);
        }
        assert_eq!(chain.set(Vec::new(), ORDER.to_vec()).len(), 2, "what played comes back");
    }

    #[test]
    fn an_effect_that_fails_is_left_out_with_a_line() {
        let mut chain = Chain::default();
        chain.set(vec![Box::new(Sum(None)), Box::new(Sum(Some((2.0, 0.0))))], vec![Link::Other(0), Link::Other(1)]);
        assert!(run(&mut chain, false).is_err(), "elsewhere it may work");
        assert_eq!(run(&mut chain, true).expect("the others play"), 6.0);
        assert_eq!(chain.take_fault().expect("a line"), "sum left out: the test engine: broken");
    }
}
