//! What an effect's file declares: parameters, textures, steps and imports. The grammar is in `docs/EFFECTS.md`.

use wgpu::naga::{Module, ScalarKind, TypeInner};

use super::shader::{Extent, Groups, MOST_STEPS, MOST_TEXTURES, Step, TextureDef};
use crate::modulate::SignalId;
use crate::params::{Def, intern};

/// Smoothing of a number that does not say otherwise, in seconds.
const SMOOTHING_SECS: f64 = 0.08;
/// How many fields an effect may have.
pub const MOST_FIELDS: usize = 64;
/// Longest side of a texture of a fixed size, in pixels.
const LONGEST: u32 = 4096;

/// A mistake, and its line from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderError {
    pub line: usize,
    pub message: String,
}

/// A number that an effect's shader reads from its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub name: String,
    pub what: What,
    /// Its type in the shader.
    pub scalar: Scalar,
    /// Its place in the uniforms, in words of 32 bits.
    pub word: usize,
}

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    Float,
    Int,
    Uint,
}

impl Scalar {
    /// The bits of a value.
    pub fn bits(self, value: f64) -> u32 {
        match self {
            Scalar::Float => (value as f32).to_bits(),
            Scalar::Int => (value.round() as i32).cast_unsigned(),
            Scalar::Uint => value.round() as u32,
        }
    }
}

/// Where a field's value is from.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A row of the table; its address is the field's name until the effect has its own.
    Param(Def),
    Signal(SignalId),
}

/// What a file declares, before its struct's layout is known.
#[derive(Debug, Default)]
pub struct Header {
    pub help: String,
    pub has_params: bool,
    pub textures: Vec<TextureDef>,
    pub steps: Vec<Step>,
    /// Line and name.
    pub imports: Vec<(usize, String)>,
    /// Name, line and comment of each field of `struct Params`.
    lines: Vec<(String, usize, String)>,
}

/// Whether a string can be part of an address.
pub fn is_name(name: &str) -> bool {
    crate::modulate::modulator::is_name(name)
}

fn is_identifier(name: &str) -> bool {
    is_name(name) && !name.contains('-') && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.starts_with("lj_")
}

/// Reads everything but the layout of the parameters.
///
/// # Errors
/// With the line of the first mistake.
pub fn read(text: &str) -> Result<Header, HeaderError> {
    let mut header = Header::default();
    let mut is_inside = false;
    for (number, line) in (1..).zip(text.lines()) {
        let wrong = |message: String| HeaderError { line: number, message };
        let trimmed = line.trim();
        if let Some(help) = trimmed.strip_prefix("//!") {
            if !header.help.is_empty() {
                header.help.push(' ');
            }
            header.help.push_str(help.trim());
        } else if let Some(directive) = trimmed.strip_prefix("//@") {
            header.directive(directive.trim(), number).map_err(wrong)?;
        } else if trimmed.starts_with("struct Params") {
            (header.has_params, is_inside) = (true, true);
        } else if is_inside && trimmed.starts_with('}') {
            is_inside = false;
        } else if is_inside && !trimmed.starts_with("//") {
            let (code, comment) = trimmed.split_once("//").unwrap_or((trimmed, ""));
            if let Some((name, _)) = code.split_once(':') {
                header.lines.push((name.trim().to_owned(), number, comment.trim().to_owned()));
            }
        }
    }
    header.steps.push(Step { function: "effect".to_owned(), to: None, groups: None });
    Ok(header)
}

impl Header {
    fn directive(&mut self, text: &str, number: usize) -> Result<(), String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["import", name] => self.imports.push((number, name.to_owned())),
            ["texture", name, size] => {
                if !is_identifier(name) || self.textures.iter().any(|texture| texture.name == name) {
                    return Err(format!("a texture needs a name that is free in WGSL, found {name:?}"));
                }
                if self.textures.len() == MOST_TEXTURES {
                    return Err(format!("an effect has at most {MOST_TEXTURES} textures"));
                }
                self.textures.push(TextureDef { name: name.to_owned(), extent: extent(size)? });
            }
            ["step", function, "->", texture] => self.step(function, texture, None)?,
            ["compute", function, "->", texture, groups] => {
                let groups = match groups {
                    "rows" => Groups::Rows,
                    "columns" => Groups::Columns,
                    "tiles" => Groups::Tiles,
                    other => return Err(format!("a compute step takes rows, columns or tiles, found {other:?}")),
                };
                self.step(function, texture, Some(groups))?;
            }
            _ => {
                return Err(format!(
                    "expected texture NAME SIZE, step FUNCTION -> TEXTURE, compute FUNCTION -> TEXTURE rows, or import FILE; found {text:?}"
                ));
            }
        }
        Ok(())
    }

    fn step(&mut self, function: &str, texture: &str, groups: Option<Groups>) -> Result<(), String> {
        let Some(to) = self.textures.iter().position(|known| known.name == texture) else {
            return Err(format!("the step {function} fills {texture:?}, which no texture line above declares"));
        };
        if !is_identifier(function) || function == "effect" {
            return Err(format!("a step needs the name of a function other than effect, found {function:?}"));
        }
        if self.steps.len() == MOST_STEPS {
            return Err(format!("an effect has at most {MOST_STEPS} steps"));
        }
        self.steps.push(Step { function: function.to_owned(), to: Some(to), groups });
        Ok(())
    }

    /// The fields with their places in the struct.
    ///
    /// # Errors
    /// With the line of a field whose type or comment is wrong.
    pub fn fields(&self, module: &Module) -> Result<Vec<Field>, HeaderError> {
        let params = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some("Params"));
        let Some((_, naga_type)) = params else { return Ok(Vec::new()) };
        let TypeInner::Struct { members, .. } = &naga_type.inner else { return Ok(Vec::new()) };
        let mut fields: Vec<Field> = Vec::new();
        for member in members {
            let name = member.name.clone().unwrap_or_default();
            let known = self.lines.iter().find(|(known, ..)| *known == name);
            let (line, comment) = known.map_or((1, ""), |(_, line, comment)| (*line, comment.as_str()));
            let wrong = |message: String| HeaderError { line, message };
            let scalar = match &module.types[member.ty].inner {
                TypeInner::Scalar(scalar) if scalar.width == 4 => match scalar.kind {
                    ScalarKind::Float => Scalar::Float,
                    ScalarKind::Sint => Scalar::Int,
                    ScalarKind::Uint => Scalar::Uint,
                    _ => return Err(wrong(format!("{name}: a field of Params is f32, i32 or u32"))),
                },
                _ => return Err(wrong(format!("{name}: a field of Params is f32, i32 or u32"))),
            };
            if ["enabled", "mix"].contains(&name.as_str()) || !is_name(&name) {
                return Err(wrong(format!("{name}: every effect has enabled and mix already; choose another name")));
            }
            if fields.len() == MOST_FIELDS {
                return Err(wrong(format!("an effect has at most {MOST_FIELDS} parameters")));
            }
            let what = what(&name, comment, scalar).map_err(|message| wrong(format!("{name}: {message}")))?;
            fields.push(Field { name, what, scalar, word: member.offset as usize / 4 });
        }
        Ok(fields)
    }
}

fn extent(size: &str) -> Result<Extent, String> {
    let share = |by| Ok(Extent::Share(by));
    match size {
        "full" => return share(1),
        "half" => return share(2),
        "quarter" => return share(4),
        "eighth" => return share(8),
        _ => {}
    }
    let side = |text: &str| text.parse().ok().filter(|side| (1..=LONGEST).contains(side));
    let sides = size.split_once('x').and_then(|(width, height)| Some([side(width)?, side(height)?]));
    sides.map(Extent::Fixed).ok_or_else(|| {
        format!("a texture's size is full, half, quarter, eighth or WxH up to {LONGEST}x{LONGEST}, found {size:?}")
    })
}

/// What the comment behind a field declares.
fn what(name: &str, comment: &str, scalar: Scalar) -> Result<What, String> {
    if let Some(signal) = comment.strip_prefix("signal ") {
        let signal = signal.split([':', ' ']).next().unwrap_or_default();
        return match SignalId::intern(signal) {
            Some(id) if scalar == Scalar::Float => Ok(What::Signal(id)),
            Some(_) => Err("a signal is an f32".to_owned()),
            None => Err(format!("expected a signal such as audio.bass, found {signal:?}")),
        };
    }
    let (declared, help) = match comment.split_once(':') {
        Some((declared, help)) => (declared.trim(), help.trim()),
        None => (comment, ""),
    };
    let address = intern(name);
    let def = if declared.is_empty() {
        number(address, ["0", "1"], "0", scalar)?.smooth(SMOOTHING_SECS)
    } else if declared.contains('|') {
        choice(address, declared, scalar)?
    } else {
        ranged(address, declared, scalar)?
    };
    Ok(What::Param(def.help(intern(help))))
}

fn number(address: &'static str, [min, max]: [&str; 2], default: &str, scalar: Scalar) -> Result<Def, String> {
    let parse = |text: &str| {
        let value = text.trim().parse::<f64>().ok().filter(|value| value.is_finite());
        value.ok_or_else(|| format!("expected a number, found {:?}", text.trim()))
    };
    let (min, max, default) = (parse(min)?, parse(max)?, parse(default)?);
    if min >= max {
        return Err(format!("the range {min}..{max} is empty"));
    }
    if !(min..=max).contains(&default) {
        return Err(format!("the default {default} is outside {min}..{max}"));
    }
    if scalar == Scalar::Float {
        return Ok(Def::float(address, min, max, default));
    }
    let lowest = if scalar == Scalar::Uint { 0.0 } else { -2_147_483_648.0 };
    if [min, max, default].iter().any(|value| value.fract() != 0.0) || min < lowest || max > 2_147_483_647.0 {
        return Err(format!("{min}..{max} = {default} does not fit an integer; use f32"));
    }
    Ok(Def::int(address, min as i64, max as i64, default as i64))
}

/// `MIN..MAX [UNIT] [square] [smooth S] = DEFAULT [square] [smooth S]`
fn ranged(address: &'static str, declared: &str, scalar: Scalar) -> Result<Def, String> {
    let example = || format!("expected a range such as 0..1 = 0.5, found {declared:?}");
    let (range, rest) = declared.split_once('=').ok_or_else(example)?;
    let mut words = range.split_whitespace();
    let (min, max) = words.next().and_then(|range| range.split_once("..")).ok_or_else(example)?;
    let mut rest_words = rest.split_whitespace();
    let default = rest_words.next().ok_or_else(example)?;
    let (mut unit, mut is_square, mut smooth) = (Vec::new(), false, SMOOTHING_SECS);
    let mut words = words.chain(rest_words);
    while let Some(word) = words.next() {
        match word {
            "square" => is_square = true,
            "smooth" => {
                let secs = words.next().and_then(|secs| secs.parse().ok()).filter(|secs| (0.0..=60.0).contains(secs));
                smooth = secs.ok_or("smooth takes seconds from 0 to 60")?;
            }
            word => unit.push(word),
        }
    }
    let def = number(address, [min, max], default, scalar)?.unit(intern(&unit.join(" ")));
    let def = if scalar == Scalar::Float { def.smooth(smooth) } else { def };
    Ok(if is_square { def.square() } else { def })
}

fn choice(address: &'static str, declared: &str, scalar: Scalar) -> Result<Def, String> {
    let (words, default) = declared.split_once('=').unwrap_or((declared, ""));
    let words: Vec<&'static str> = words.split('|').map(|word| intern(word.trim())).collect();
    let default = default.trim();
    if scalar == Scalar::Float {
        return Err("a choice is a u32".to_owned());
    }
    if words.iter().any(|word| word.is_empty() || word.contains(char::is_whitespace)) {
        return Err(format!("expected words separated by |, found {declared:?}"));
    }
    let position = if default.is_empty() { Some(0) } else { words.iter().position(|word| *word == default) };
    let position = position.ok_or_else(|| format!("the default {default:?} is not one of {}", words.join(", ")))?;
    if words == ["off", "on"] {
        return Ok(Def::boolean(address, position == 1));
    }
    Ok(Def::choice(address, Vec::leak(words), position))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Kind;

    fn def(comment: &str, scalar: Scalar) -> Def {
        match what("depth", comment, scalar).unwrap() {
            What::Param(def) => def,
            What::Signal(_) => panic!("a signal"),
        }
    }

    #[test]
    fn comments_declare_parameters() {
        let plain = def("0.1..20 s square = 1.5 smooth 0.3: how long", Scalar::Float);
        assert_eq!(plain, Def::float("depth", 0.1, 20.0, 1.5).unit("s").square().smooth(0.3).help("how long"));
        assert_eq!(def("", Scalar::Float).kind, Kind::Float { min: 0.0, max: 1.0, default: 0.0 });
        assert_eq!(def("2..24 = 6: sides", Scalar::Int).kind, Kind::Int { min: 2, max: 24, default: 6 });
        assert_eq!(def("off | on = on: x", Scalar::Uint).kind, Kind::Bool { default: true });
        let blend = def("add | screen = screen", Scalar::Uint).kind;
        assert!(matches!(blend, Kind::Choice { options: ["add", "screen"], default: 1 }));
        let signal = what("bass", "signal audio.bass: low", Scalar::Float).unwrap();
        assert_eq!(signal, What::Signal(SignalId::find("audio.bass").unwrap()));
        for (comment, scalar, line) in [
            ("0..1", Scalar::Float, "expected a range such as 0..1 = 0.5, found \"0..1\""),
            ("1..0 = 0", Scalar::Float, "the range 1..0 is empty"),
            ("0..1 = 2", Scalar::Float, "the default 2 is outside 0..1"),
            ("0..nan = 0", Scalar::Float, "expected a number, found \"nan\""),
            ("0..1.5 = 1", Scalar::Int, "0..1.5 = 1 does not fit an integer; use f32"),
            ("-1..1 = 0", Scalar::Uint, "-1..1 = 0 does not fit an integer; use f32"),
            ("a | b = c", Scalar::Uint, "the default \"c\" is not one of a, b"),
            ("a | b", Scalar::Float, "a choice is a u32"),
            ("signal bass", Scalar::Float, "expected a signal such as audio.bass, found \"bass\""),
        ] {
            assert_eq!(what("depth", comment, scalar).unwrap_err(), line);
        }
    }

    #[test]
    fn directives_that_make_no_sense_are_named() {
        for (text, line) in [
            ("//@ textur small half", "expected texture NAME SIZE"),
            ("//@ texture small huge", "a texture's size is full"),
            ("//@ texture small 0x4", "a texture's size is full"),
            ("//@ texture 1st half", "a texture needs a name"),
            ("//@ step blur -> small", "the step blur fills \"small\", which no texture line above declares"),
            ("//@ texture s half\n//@ compute c -> s lines", "a compute step takes rows"),
            ("//@ texture s half\n//@ step effect -> s", "a step needs the name of a function other than effect"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.message.starts_with(line), "{error:?}");
            assert_eq!(error.line, text.lines().count());
        }
    }
}
