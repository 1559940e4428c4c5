//! Runs the effects on the network's picture one after another.
//!
//! Each effect has its own output surface, so every frame uses the same buffers and nothing is allocated while sizes stay
//! the same.

use super::crossfade::Crossfade;
use super::input::Input;
use super::style::Style;
use super::{Effect, Time, Values};
use crate::engine::EngineError;
use crate::engine::canvas::Canvas;
use crate::engine::memo::{Memo, MemoError};
use crate::engine::surface::Surface;

/// The effects in the order in which they run.
const ORDER: [Link; 3] = [Link::Crossfade, Link::Input, Link::Style];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Crossfade,
    Input,
    Style,
}

/// Effects, and the pictures between them.
#[derive(Default)]
pub struct Chain {
    pub crossfade: Crossfade,
    pub input: Input,
    pub style: Style,
    /// The output of each link.
    outs: [Surface; ORDER.len()],
    /// Index in the order of the effect that made the last picture; `None` if none did.
    last: Option<usize>,
    fault: Option<String>,
}

impl Chain {
    /// Whether the network's picture is shown unchanged.
    pub fn is_idle(&self, values: &Values) -> bool {
        let fades = self.crossfade.before.is_some() && values.crossfade < 1.0;
        !fades && self.input.network_share(&values.input) >= 1.0 && self.style.is_none()
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
        let Chain { crossfade, input, style, outs, last, fault } = self;
        (*last, *fault) = (None, None);
        for (at, link) in ORDER.iter().enumerate() {
            let effect: &mut dyn Effect = match link {
                Link::Crossfade if !is_fresh => continue,
                Link::Crossfade => crossfade,
                Link::Input => input,
                Link::Style => style,
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

    /// The network's picture in the last run, before all effects but the fade between two networks.
    pub fn clean<'a>(&'a mut self, frame: &'a mut Surface) -> &'a mut Surface {
        if self.crossfade.has_mixed { &mut self.outs[0] } else { frame }
    }

    /// The effect that was skipped in the last picture, and why.
    pub fn take_fault(&mut self) -> Option<String> {
        self.fault.take()
    }

    /// Notes a picture that is not made, so that what comes after it goes the same way; what is painted is not noted.
    pub fn pass_over(&mut self, values: &Values) {
        self.input.pass_over(&values.input);
        if self.input.network_share(&values.input) > 0.0 {
            self.crossfade.pass_over(values.crossfade);
        }
    }

    /// Whether pictures that were made before can be seen in the next one.
    pub fn remembers(&self) -> bool {
        self.crossfade.before.is_some() || !self.style.is_none()
    }

    /// What it remembers.
    ///
    /// # Errors
    /// As [`Memo::surface`], and when another kind of style loop is playing.
    pub fn memo(&mut self, memo: &mut Memo) -> Result<(), MemoError> {
        self.crossfade.memo(memo, &mut self.outs[0])?;
        self.input.memo(memo)?;
        self.style.memo(memo)
    }

    /// From now on fades from the crossfade's last result, as a still.
    pub fn fade_from_mixture(&mut self) {
        let at = ORDER.iter().position(|link| *link == Link::Crossfade);
        self.crossfade.before = at.map(|at| std::mem::take(&mut self.outs[at]));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::effects::style::{StyleLoop, StyleSettings};
    use crate::engine::canvas::Memory;
    use crate::engine::plan::Plan;
    use crate::engine::{Engine, Program};
    use crate::image::Image;
    use crate::network::style_transfer::StyleNetwork;

    /// An engine that can run nothing.
    struct Broken;

    impl Engine for Broken {
        fn name(&self) -> &'static str {
            "test"
        }
        fn prepare(&self, _: Arc<Plan>) -> Result<Box<dyn Program>, EngineError> {
            Err(EngineError::Unavailable { engine: "test", reason: "broken".into() })
        }
    }

    /// The first number of a frame of 3 after the chain.
    fn run(chain: &mut Chain, is_last_resort: bool) -> Result<f32, EngineError> {
        let mut frame = Surface::from(Image { channels: 3, height: 16, width: 16, data: vec![0.5; 3 * 16 * 16] });
        let style = StyleSettings { size: 16, ..StyleSettings::default() };
        let input = crate::effects::input::InputSettings { amount: 0.5, fade: 1.0, serial: 1, ..Default::default() };
        let values = Values { crossfade: 1.0, style, input };
        chain.run(&mut Memory::default(), &mut frame, &values, Time::default(), [true, is_last_resort])?;
        Ok(chain.made().unwrap_or(&mut frame).bring()?.data[0])
    }

    #[test]
    fn without_effects_the_frame_is_left_as_it_is() {
        let mut chain = Chain::default();
        assert_eq!(run(&mut chain, true).expect("runs"), 0.5);
        assert!(chain.made().is_none() && chain.take_fault().is_none());
    }

    #[test]
    fn an_effect_that_fails_is_skipped_and_reported() {
        let mut chain = Chain::default();
        let picture = Image { channels: 3, height: 16, width: 16, data: vec![-0.5; 3 * 16 * 16] };
        chain.input.change(Some(picture.into()), 1);
        chain.style.change(Some(Box::new(StyleLoop::new(Arc::new(Broken), Arc::new(StyleNetwork::without_layers(3))))));
        assert!(run(&mut chain, false).is_err(), "it may work elsewhere");
        assert_eq!(run(&mut chain, true).expect("the others play"), 0.0, "half of the input");
        assert_eq!(chain.take_fault().expect("a line"), "style left out: the test engine: broken");
    }
}
