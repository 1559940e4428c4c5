//! TorchScript modules: what their files declare, what a few runs show, and their step of a plan.
//!
//! Opening a file runs the code in it. Nobody opens one but [`super::Torch::script`], which knows the files that the player
//! named.

use std::path::Path;

use tch::{CModule, Device, IValue, Kind, TchError, Tensor};

use super::stage::{Form, Frame, Stage};
use crate::engine::plan::{Argument, Module, Range, Script};

/// Sides of pictures that an effect is tried with.
const SIDES: [i64; 7] = [64, 256, 512, 128, 224, 1024, 32];
/// Usual widths of z, tried after those that the weights suggest.
const WIDTHS: [i64; 11] = [512, 128, 256, 64, 100, 1024, 32, 16, 8, 4, 2];
/// Most knobs of an effect.
const MOST_KNOBS: i64 = 32;

/// One argument as a file declares it: its type, its name, and whether it has a default.
#[derive(Debug, PartialEq)]
struct Declared<'a> {
    kind: &'a str,
    name: &'a str,
    is_optional: bool,
}

/// The arguments of `forward(__torch__.G self, Tensor z, float psi=1.) -> Tensor`, without self.
fn declared(declaration: &str) -> Vec<Declared<'_>> {
    let inside = declaration.split_once('(').map_or("", |(_, rest)| rest);
    let inside = inside.rsplit_once(") ->").map_or(inside, |(inside, _)| inside);
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, char) in inside.char_indices() {
        match char {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inside[start..]);
    let words = parts.into_iter().skip(1).filter_map(|part| {
        let (head, default) = part.trim().split_once('=').map_or((part.trim(), None), |(head, d)| (head, Some(d)));
        let (kind, name) = head.trim().rsplit_once(' ')?;
        Some(Declared { kind: kind.trim(), name, is_optional: default.is_some() })
    });
    words.collect()
}

fn is_psi(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["psi", "trunc"].iter().any(|word| name.contains(word))
}

/// What the arguments can be: those of a generator, those of an effect.
fn readings(declared: &[Declared]) -> Result<[Option<Vec<Argument>>; 2], String> {
    let Some((first, rest)) = declared.split_first() else { return Err("it takes nothing".to_owned()) };
    if first.kind != "Tensor" {
        return Err(format!("its first argument is a {}", first.kind));
    }
    let mut generator = vec![Argument::Z { is_map: false }];
    let mut effect = vec![Argument::Picture];
    let mut is_effect = true;
    for argument in rest {
        let is_number = matches!(argument.kind, "float" | "Optional[float]" | "float?");
        let is_tensor = matches!(argument.kind, "Tensor" | "Optional[Tensor]" | "Tensor?");
        match (is_tensor, is_number) {
            (_, true) if is_psi(argument.name) || !argument.is_optional => {
                generator.push(Argument::Psi { is_tensor: false });
                is_effect = false;
            }
            (true, _) if is_psi(argument.name) => {
                generator.push(Argument::Psi { is_tensor: true });
                is_effect = false;
            }
            (true, _) if generator.len() == 1 && !argument.is_optional => {
                generator.push(Argument::Class);
                effect.push(Argument::Knobs { has_batch: false });
            }
            // What has a default keeps it, and so does everything after it.
            _ if argument.is_optional => break,
            _ => return Err(format!("its argument {} is a {}", argument.name, argument.kind)),
        }
    }
    Ok([Some(generator), is_effect.then_some(effect)])
}

/// The picture that a module gave, `[1, C, H, W]`; a message if it is none.
fn picture(given: IValue) -> Result<Tensor, TchError> {
    let tensor = match given {
        IValue::Tensor(tensor) => tensor,
        IValue::Tuple(values) | IValue::GenericList(values) => match values.into_iter().next() {
            Some(IValue::Tensor(tensor)) => tensor,
            _ => return Err(TchError::Shape("it gives no tensor".to_owned())),
        },
        _ => return Err(TchError::Shape("it gives no tensor".to_owned())),
    };
    let tensor = if tensor.dim() == 3 { tensor.f_unsqueeze(0)? } else { tensor };
    match tensor.size()[..] {
        [1, 1 | 3 | 4, height, width] if height >= 4 && width >= 4 => tensor.f_to_kind(Kind::Float),
        ref size => Err(TchError::Shape(format!("it gives {size:?}, not a picture [1, 1 or 3 or 4, H, W]"))),
    }
}

/// A module on the device, ready to run.
fn load(file: &Path, device: Device) -> Result<CModule, TchError> {
    let mut module = CModule::load_on_device(file, device)?;
    module.f_set_eval()?;
    Ok(module)
}

/// Opens a file, reads what it declares, and runs it until it gives a picture.
pub fn open(file: &Path, form: Form) -> Result<Script, TchError> {
    let trial = Trial { module: load(file, form.device)?, device: form.device };
    let declaration = trial.declaration()?;
    let wrong = |why: String| {
        let what = "neither z [, class] [, psi] -> picture nor picture [, knobs] -> picture";
        TchError::Shape(format!("{declaration} is {what}: {why}"))
    };
    let arguments = declared(&declaration);
    let [generator, effect] = readings(&arguments).map_err(wrong)?;
    let is_named_picture = arguments.first().is_some_and(|first| {
        ["image", "img", "picture", "pic", "frame", "photo", "content"]
            .contains(&first.name.to_ascii_lowercase().as_str())
    });
    let weights = trial.module.named_parameters()?;
    let widths = widths(&weights);
    let parameters = weights.iter().map(|(_, weight)| weight.numel()).sum();
    let script = Script { file: file.to_owned(), declaration: declaration.clone(), parameters, ..Script::default() };
    let mut last = TchError::Shape("nothing was tried".to_owned());
    for tries_effect in [is_named_picture, !is_named_picture] {
        let tried = match (tries_effect, &generator, &effect) {
            (false, Some(arguments), _) => trial.generator(&script, arguments, &widths),
            (true, _, Some(arguments)) => trial.effect(&script, arguments, &widths),
            _ => continue,
        };
        match tried {
            Ok(script) => return Ok(script),
            Err(error) => last = error,
        }
    }
    Err(wrong(super::one_line(last)))
}

/// Widths that the weights of a module suggest for a vector that goes into it, the first layer's first.
fn widths(weights: &[(String, Tensor)]) -> Vec<i64> {
    let mut widths = Vec::new();
    for (_, weight) in weights {
        let size = weight.size();
        let sides = match size[..] {
            [_, inputs] => vec![inputs],
            [outputs, inputs, _, _] => vec![inputs, outputs],
            _ => continue,
        };
        for side in sides {
            if (1..=4096).contains(&side) && !widths.contains(&side) {
                widths.push(side);
            }
        }
    }
    widths
}

/// A module that is being found out about.
struct Trial {
    module: CModule,
    device: Device,
}

impl Trial {
    /// `forward` as the file declares it: libtorch's answer to a call without arguments.
    fn declaration(&self) -> Result<String, TchError> {
        let nothing: [IValue; 0] = [];
        match self.module.forward_is(&nothing) {
            Ok(_) => Err(TchError::Shape("its forward takes nothing".to_owned())),
            Err(TchError::Torch(text)) => {
                let line = text.lines().find_map(|line| line.split_once("Declaration: "));
                line.map(|(_, declaration)| declaration.trim().to_owned()).ok_or(TchError::Torch(text))
            }
            Err(other) => Err(other),
        }
    }

    /// Normal numbers that are the same each time.
    fn normal(&self, seed: i64, size: &[i64]) -> Result<Tensor, TchError> {
        let count: i64 = size.iter().product();
        let numbers = crate::latent::seed::z_from_seed(seed as u32, count as usize);
        Tensor::f_from_slice(&numbers)?.f_reshape(size)?.f_to_device(self.device)
    }

    /// A picture with numbers from 0 to 1.
    fn content(&self, channels: i64, height: i64, width: i64) -> Result<Tensor, TchError> {
        self.normal(7, &[1, channels, height, width])?.f_sigmoid()
    }

    fn run(&self, arguments: &[IValue]) -> Result<Tensor, TchError> {
        picture(self.module.forward_is(arguments)?)
    }

    fn generate(&self, script: &Script, seed: i64) -> Result<Tensor, TchError> {
        let arguments = script.arguments.iter().map(|argument| {
            Ok(match argument {
                Argument::Z { is_map: false } => IValue::Tensor(self.normal(seed, &[1, script.z_dim as i64])?),
                Argument::Z { is_map: true } => IValue::Tensor(self.normal(seed, &[1, script.z_dim as i64, 1, 1])?),
                Argument::Class => {
                    let label = Tensor::f_zeros([1, script.c_dim as i64], (Kind::Float, self.device))?;
                    drop(label.f_select(1, 0)?.f_fill_(1.0)?);
                    IValue::Tensor(label)
                }
                Argument::Psi { is_tensor: false } => IValue::Double(1.0),
                _ => IValue::Tensor(Tensor::f_ones([1], (Kind::Float, self.device))?),
            })
        });
        self.run(&arguments.collect::<Result<Vec<_>, TchError>>()?)
    }

    fn generator(&self, script: &Script, arguments: &[Argument], widths: &[i64]) -> Result<Script, TchError> {
        let mut first = None;
        let has_class = arguments.contains(&Argument::Class);
        let classes = || widths.iter().copied().chain(1..=32).chain([100, 1000]);
        let classes: Vec<i64> = if has_class { classes().collect() } else { vec![0] };
        for is_map in [false, true] {
            for &z_dim in widths.iter().chain(&WIDTHS) {
                for &c_dim in &classes {
                    let mut arguments = arguments.to_vec();
                    arguments[0] = Argument::Z { is_map };
                    let (z_dim, c_dim) = (z_dim as usize, c_dim as usize);
                    let mut script = Script { arguments, z_dim, c_dim, ..script.clone() };
                    match self.generate(&script, 0) {
                        Ok(picture) => {
                            let [_, channels, height, width] = picture.size()[..] else { continue };
                            script.gives = [channels, height, width].map(|n| n as usize);
                            let mut ends = ends(&picture)?;
                            for seed in 1..4 {
                                let [least, most] = self.generate(&script, seed).and_then(|p| self::ends(&p))?;
                                ends = [ends[0].min(least), ends[1].max(most)];
                            }
                            script.range = Range::of(ends[0], ends[1]);
                            return Ok(script);
                        }
                        Err(error) => drop(first.get_or_insert(error)),
                    }
                }
            }
        }
        Err(first.unwrap_or_else(|| TchError::Shape("no width of z was tried".to_owned())))
    }

    /// The picture of an effect, given one of numbers from 0 to 1 times `gain` plus `offset`.
    fn affect(&self, script: &Script, size: [i64; 2], [gain, offset]: [f64; 2]) -> Result<Tensor, TchError> {
        let content = self.content(script.takes as i64, size[0], size[1])?;
        let mut arguments = vec![IValue::Tensor(content.f_mul_scalar(gain)?.f_add_scalar(offset)?)];
        for argument in &script.arguments {
            if let Argument::Knobs { has_batch } = argument {
                let n = script.knobs as i64;
                let size: &[i64] = if *has_batch { &[1, n] } else { &[n] };
                arguments.push(IValue::Tensor(Tensor::f_full(size, 0.5, (Kind::Float, self.device))?));
            }
        }
        self.run(&arguments)
    }

    fn effect(&self, script: &Script, arguments: &[Argument], widths: &[i64]) -> Result<Script, TchError> {
        let mut first = None;
        let has_knobs = arguments.len() > 1;
        let knobs: Vec<(bool, i64)> = match has_knobs {
            false => vec![(false, 0)],
            true => {
                let likely = widths.iter().copied().filter(|width| *width <= MOST_KNOBS);
                let counts: Vec<i64> = (1..=MOST_KNOBS).chain(likely).collect();
                [false, true].iter().flat_map(|batch| counts.iter().map(|count| (*batch, *count))).collect()
            }
        };
        for side in SIDES {
            for takes in [3, 1] {
                for &(has_batch, count) in &knobs {
                    let mut arguments = arguments.to_vec();
                    if has_knobs {
                        arguments[1] = Argument::Knobs { has_batch };
                    }
                    let mut script = Script { arguments, takes, knobs: count as usize, ..script.clone() };
                    let given = match self.affect(&script, [side; 2], [1.0, 0.0]) {
                        Ok(given) => given,
                        Err(error) => {
                            first.get_or_insert(error);
                            continue;
                        }
                    };
                    let Some(gives) = scale(&given, [side; 2]) else {
                        first.get_or_insert(TchError::Shape(format!("it makes {:?} of {side}x{side}", given.size())));
                        continue;
                    };
                    script.gives = gives;
                    let other = [side + 32, side + 16];
                    let is_free =
                        self.affect(&script, other, [1.0, 0.0]).is_ok_and(|p| scale(&p, other) == Some(gives));
                    script.side = (!is_free).then_some(side as usize);
                    let [least, most] = ends(&given)?;
                    script.range = Range::of(least, most);
                    return Ok(script);
                }
            }
        }
        Err(first.unwrap_or_else(|| TchError::Shape("no picture was tried".to_owned())))
    }
}

/// The smallest and the largest number of a picture.
fn ends(picture: &Tensor) -> Result<[f32; 2], TchError> {
    let end = |tensor: Tensor| tensor.f_double_value(&[]).map(|value| value as f32);
    Ok([end(picture.f_min()?)?, end(picture.f_max()?)?])
}

/// Channels, and how many times higher and wider a picture is than `size`; `None` if not a whole number of times.
fn scale(picture: &Tensor, size: [i64; 2]) -> Option<[usize; 3]> {
    let [_, channels, height, width] = picture.size()[..] else { return None };
    let times = |long: i64, short: i64| (long % short == 0 && long / short <= 8).then_some((long / short) as usize);
    Some([channels as usize, times(height, size[0])?, times(width, size[1])?])
}

/// See [`Module`].
pub struct Runner {
    module: CModule,
    op: Module,
    /// Of the picture.
    shape: [i64; 4],
}

impl Runner {
    pub fn new(op: &Module, shape: [usize; 3], form: Form) -> Result<Runner, TchError> {
        let [channels, height, width] = shape.map(|n| n as i64);
        Ok(Runner { module: load(&op.script.file, form.device)?, op: op.clone(), shape: [1, channels, height, width] })
    }

    fn arguments(&self, frame: &Frame) -> Result<Vec<IValue>, TchError> {
        let script = &self.op.script;
        let missing = || TchError::Shape("a module needs its ws".to_owned());
        let part = |start: usize, length: usize| {
            frame.ws.ok_or_else(missing)?.f_select(0, 0)?.f_narrow(0, start as i64, length as i64)
        };
        let arguments = script.arguments.iter().map(|argument| {
            Ok(match argument {
                Argument::Z { is_map: false } => IValue::Tensor(part(0, script.z_dim)?.f_reshape([1, -1])?),
                Argument::Z { is_map: true } => IValue::Tensor(part(0, script.z_dim)?.f_reshape([1, -1, 1, 1])?),
                Argument::Class => IValue::Tensor(part(script.z_dim, script.c_dim)?.f_reshape([1, -1])?),
                Argument::Psi { is_tensor: true } => IValue::Tensor(part(script.w_dim() - 1, 1)?),
                Argument::Psi { is_tensor: false } => {
                    IValue::Double(frame.inputs.ws.last().copied().map(f64::from).ok_or_else(missing)?)
                }
                Argument::Knobs { has_batch: false } => IValue::Tensor(part(0, script.knobs)?),
                Argument::Knobs { has_batch: true } => IValue::Tensor(part(0, script.knobs)?.f_reshape([1, -1])?),
                Argument::Picture => {
                    let Some(input) = self.op.input else { return Err(missing()) };
                    let [gain, offset] = script.range.to_signed();
                    let content = frame.map(input)?.f_to_kind(Kind::Float)?;
                    IValue::Tensor(content.f_add_scalar(-offset)?.f_mul_scalar(1.0 / gain)?.f_contiguous()?)
                }
            })
        });
        arguments.collect()
    }
}

impl Stage for Runner {
    fn run(&mut self, frame: &Frame) -> Result<Tensor, TchError> {
        let given = picture(self.module.forward_is(&self.arguments(frame)?)?)?;
        if given.size() != self.shape {
            return Err(TchError::Shape(format!("it gave {:?}, and {:?} before", given.size(), self.shape)));
        }
        let [gain, offset] = self.op.script.range.to_signed();
        // What is no number is black.
        given.f_mul_scalar(gain)?.f_add_scalar(offset)?.f_nan_to_num(-1.0, 1.0, -1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_tells_the_arguments() {
        let text = "forward(__torch__.G self, Tensor z, (Tensor, int)[] pairs, Tensor? c=None, float psi=1.) -> Tensor";
        let found = declared(text);
        let expected = [
            ("Tensor", "z", false),
            ("(Tensor, int)[]", "pairs", false),
            ("Tensor?", "c", true),
            ("float", "psi", true),
        ];
        assert_eq!(found, expected.map(|(kind, name, is_optional)| Declared { kind, name, is_optional }));
        assert!(declared("forward(__torch__.G self) -> Tensor").is_empty());
    }

    #[test]
    fn arguments_have_their_readings() {
        let read = |text: &str| readings(&declared(text));
        let z = Argument::Z { is_map: false };
        let number = Argument::Psi { is_tensor: false };
        let [generator, effect] = read("forward(G self, Tensor z, float psi) -> Tensor").expect("is known");
        assert_eq!((generator, effect), (Some(vec![z, number]), None));
        let [generator, effect] = read("forward(G self, Tensor x, Tensor y) -> Tensor").expect("is known");
        assert_eq!(generator, Some(vec![z, Argument::Class]));
        assert_eq!(effect, Some(vec![Argument::Picture, Argument::Knobs { has_batch: false }]));
        let [generator, _] =
            read("forward(G self, Tensor z, Tensor c, float truncation_psi=1., int? cutoff=None) -> Tensor")
                .expect("is known");
        assert_eq!(generator, Some(vec![z, Argument::Class, number]));
        assert!(read("forward(G self, str name) -> Tensor").is_err());
        assert!(read("forward(G self, Tensor z, int layer) -> Tensor").is_err());
    }
}
