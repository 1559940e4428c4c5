//! An engine with a fallback: what the first cannot prepare, or fails at while playing, runs on the second.
//!
//! A lost graphics card, too little memory or an operation without a kernel costs one line (for the performer and the log)
//! and some time, not the show. Once a program has switched to the second engine, it stays there.

use std::path::Path;
use std::sync::Arc;

use super::memo::{Memo, MemoError};
use super::plan::{Plan, Script};
use super::surface::{Place, Surface};
use super::{Engine, EngineError, Inputs, Program};
use crate::image::Image;

/// Uses the first engine as long as it works, then the second.
pub struct Fallback {
    first: Arc<dyn Engine>,
    second: Arc<dyn Engine>,
}

impl Fallback {
    pub fn new(first: Arc<dyn Engine>, second: Arc<dyn Engine>) -> Fallback {
        Fallback { first, second }
    }
}

impl Engine for Fallback {
    /// The first engine's.
    fn name(&self) -> &'static str {
        self.first.name()
    }

    fn prepare(&self, plan: Arc<Plan>) -> Result<Box<dyn Program>, EngineError> {
        let (program, second, notice) = match self.first.prepare(plan.clone()) {
            // A module plays on one engine only.
            Ok(program) if plan.has_module() => (program, None, None),
            Err(error) if plan.has_module() => return Err(error),
            Ok(program) => (program, Some(self.second.clone()), None),
            Err(error) => {
                let program = self.second.prepare(plan.clone())?;
                let line = told(format!("{error}; {} plays on the {} engine", plan.name, program.engine()));
                (program, None, Some(line))
            }
        };
        Ok(Box::new(FallbackProgram { program, plan, second, notice }))
    }

    /// The first engine's.
    fn script(&self, file: &Path) -> Result<Script, EngineError> {
        self.first.script(file)
    }
}

fn told(line: String) -> String {
    tracing::warn!("{line}");
    line
}

struct FallbackProgram {
    program: Box<dyn Program>,
    plan: Arc<Plan>,
    /// `None` once the second is in use.
    second: Option<Arc<dyn Engine>>,
    notice: Option<String>,
}

impl FallbackProgram {
    /// After an error of the first: whether the second takes over.
    fn goes_over(&mut self, error: Option<&EngineError>) -> Result<bool, EngineError> {
        let Some(error @ EngineError::Unavailable { .. }) = error else { return Ok(false) };
        let Some(second) = self.second.take() else { return Ok(false) };
        self.program = second.prepare(self.plan.clone())?;
        let engine = self.program.engine();
        self.notice = Some(told(format!("{error}; {} continues on the {engine} engine", self.plan.name)));
        Ok(true)
    }
}

impl Program for FallbackProgram {
    fn run(&mut self, inputs: &Inputs, out: &mut Surface) -> Result<(), EngineError> {
        let result = self.program.run(inputs, out);
        if self.goes_over(result.as_ref().err())? { self.program.run(inputs, out) } else { result }
    }

    fn place(&self) -> Option<Arc<dyn Place>> {
        self.program.place()
    }

    fn engine(&self) -> &'static str {
        self.program.engine()
    }

    fn take_notice(&mut self) -> Option<String> {
        // A notice of an engine in between comes before this one's.
        let inner = self.program.take_notice();
        self.notice.take().or(inner)
    }

    fn memo(&mut self, memo: &mut Memo) -> Result<(), MemoError> {
        self.program.memo(memo)
    }

    fn tap(&self, buffer: &str) -> Option<Image> {
        self.program.tap(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prepares if told to, and paints `value` a given number of times before it fails.
    struct Sketch {
        prepares: bool,
        pictures: usize,
        value: f32,
    }

    impl Engine for Sketch {
        fn name(&self) -> &'static str {
            "sketch"
        }
        fn prepare(&self, _: Arc<Plan>) -> Result<Box<dyn Program>, EngineError> {
            match self.prepares {
                true => Ok(Box::new(Sketch { ..*self })),
                false => Err(EngineError::Unavailable { engine: "sketch", reason: "no room".into() }),
            }
        }
    }

    impl Program for Sketch {
        fn run(&mut self, inputs: &Inputs, out: &mut Surface) -> Result<(), EngineError> {
            if !inputs.ws.is_empty() {
                return Err(EngineError::Input { what: "ws", expected: "none".into(), found: "some".into() });
            }
            if self.pictures == 0 {
                return Err(EngineError::Unavailable { engine: "sketch", reason: "lost".into() });
            }
            self.pictures -= 1;
            out.write([1, 1, 1]).data[0] = self.value;
            Ok(())
        }
        fn engine(&self) -> &'static str {
            if self.value == 1.0 { "first" } else { "second" }
        }
    }

    /// The pictures, and the notices with each.
    fn play(first: Sketch) -> (Vec<f32>, Vec<String>) {
        let second = Arc::new(Sketch { prepares: true, pictures: 2, value: 2.0 });
        let engine = Fallback::new(Arc::new(first), second);
        let mut program = engine.prepare(Arc::new(Plan::default())).expect("one of them prepares");
        let (mut seen, mut told) = (Vec::new(), Vec::new());
        let mut image = Image::default();
        while program.draw(&Inputs::default(), &mut image).is_ok() {
            seen.push(image.data[0]);
            assert_eq!(program.engine() == "second", image.data[0] == 2.0, "the name of what plays");
            told.extend(program.take_notice());
        }
        (seen, told)
    }

    #[test]
    fn the_second_plays_what_the_first_cannot() {
        let (seen, told) = play(Sketch { prepares: true, pictures: 3, value: 1.0 });
        assert_eq!(seen, [1.0, 1.0, 1.0, 2.0, 2.0]);
        assert_eq!(told, ["the sketch engine: lost;  continues on the second engine"]);
        let (seen, told) = play(Sketch { prepares: false, pictures: 3, value: 1.0 });
        assert_eq!(seen, [2.0, 2.0]);
        assert_eq!(told, ["the sketch engine: no room;  plays on the second engine"]);
    }

    #[test]
    fn wrong_inputs_do_not_cause_a_fallback() {
        let first = Sketch { prepares: true, pictures: 1, value: 1.0 };
        let second = Sketch { prepares: true, pictures: 1, value: 2.0 };
        let mut program =
            Fallback::new(Arc::new(first), Arc::new(second)).prepare(Arc::new(Plan::default())).expect("prepares");
        let mut image = Image::default();
        assert!(program.draw(&Inputs { ws: &[1.0], ..Inputs::default() }, &mut image).is_err());
        program.draw(&Inputs::default(), &mut image).expect("runs");
        assert_eq!(image.data, [1.0]);
    }
}
