//! Effects from files: WGSL text becomes a checked [`Shader`]. Pure: no device and no disk.
//!
//! The effect's text comes first and the instrument's prelude (`shaders/screen/prelude.wgsl`) after it, so that the lines of
//! an error are the file's own. What a file declares is in `docs/EFFECTS.md`. Loops are bounded here, in naga's IR: an
//! effect that loops for ever ends after [`MOST_TURNS`] turns per pixel.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wgpu::naga::front::wgsl;
use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};
use wgpu::naga::{self, Expression, Module, Span, Statement};

use super::header::{self, Field, What};
use crate::engine::plan::Script;
use crate::params::{Def, Saving, intern};

/// What every effect can use, behind its own text.
pub const PRELUDE: &str = include_str!("../../shaders/screen/prelude.wgsl");
/// How often the loops of one invocation may turn, all together.
pub const MOST_TURNS: u32 = 16_384;
/// What a pixel shows whose loops were ended.
pub const RUNAWAY: f32 = -57_344.0;
/// Longest text of an effect with its imports, in bytes.
pub const MOST_BYTES: usize = 256 << 10;
/// How many textures and steps an effect may declare.
pub const MOST_TEXTURES: usize = 8;
pub const MOST_STEPS: usize = 16;

/// Why an effect cannot play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShaderError {
    pub file: PathBuf,
    /// Line and column, from 1.
    pub at: Option<(usize, usize)>,
    pub message: String,
    /// The line itself.
    line: String,
}

impl std::error::Error for ShaderError {}

/// One line, for the HUD.
impl fmt::Display for ShaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.file_name().unwrap_or_default().to_string_lossy();
        match self.at {
            Some((line, column)) => write!(f, "{file}:{line}:{column}: {}", self.message),
            None => write!(f, "{file}: {}", self.message),
        }
    }
}

impl ShaderError {
    pub fn new(file: &Path, message: impl Into<String>) -> Self {
        ShaderError { file: file.to_owned(), at: None, message: message.into(), line: String::new() }
    }

    /// A few lines for the terminal: file, line and column, the line itself, and a caret under the place.
    pub fn block(&self) -> String {
        let Some((line, column)) = self.at else { return format!("{}: {}", self.file.display(), self.message) };
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        let before: String = self.line.chars().take(column.saturating_sub(1)).collect();
        let indent: String = before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        format!(
            "{}:{line}:{column}: {}\n{margin} |\n{number} | {}\n{margin} | {indent}^",
            self.file.display(),
            self.message,
            self.line
        )
    }
}

/// The size of a texture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The output's, divided by this.
    Share(u32),
    Fixed([u32; 2]),
}

impl Extent {
    pub fn of(self, output: [u32; 2]) -> [u32; 2] {
        match self {
            Extent::Share(by) => output.map(|side| side.div_ceil(by).max(1)),
            Extent::Fixed(size) => size,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextureDef {
    pub name: String,
    pub extent: Extent,
}

/// How many workgroups a compute step starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Groups {
    Rows,
    Columns,
    /// One per 8x8 pixels.
    Tiles,
}

impl Groups {
    pub fn of(self, [width, height]: [u32; 2]) -> [u32; 2] {
        match self {
            Groups::Rows => [height, 1],
            Groups::Columns => [width, 1],
            Groups::Tiles => [width.div_ceil(8), height.div_ceil(8)],
        }
    }
}

/// One pass of an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub function: String,
    /// The texture that it fills, by index; `None` for the effect's output.
    pub to: Option<usize>,
    /// A compute step; `None` draws.
    pub groups: Option<Groups>,
}

/// What an effect reads besides the picture before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    pub last: bool,
    pub shown: bool,
    pub painting: bool,
    pub network: bool,
    /// Whether its picture changes while nothing else does.
    pub time: bool,
}

/// A checked effect, for any device.
#[derive(Clone, Debug)]
pub struct Shader {
    /// The file's stem.
    pub name: String,
    pub help: String,
    pub fields: Vec<Field>,
    pub textures: Vec<TextureDef>,
    /// The last one makes the output.
    pub steps: Vec<Step>,
    pub reads: Reads,
    /// The file and those that it imports, to be watched.
    pub files: Vec<PathBuf>,
    pub module: Module,
    /// Changes with the text.
    pub fingerprint: u64,
    /// What fills its first texture, of a TorchScript module.
    pub script: Option<Arc<Script>>,
}

/// A part of the assembled text.
struct Part {
    start: usize,
    len: usize,
    file: PathBuf,
}

/// The assembled text, and where its parts are from.
struct Source {
    text: String,
    parts: Vec<Part>,
}

impl Source {
    fn error(&self, range: Option<std::ops::Range<usize>>, message: String) -> ShaderError {
        let first = &self.parts[0];
        let Some(range) = range else { return ShaderError::new(&first.file, message) };
        let Some(part) = self.parts.iter().find(|part| (part.start..part.start + part.len).contains(&range.start))
        else {
            // In the prelude: a name of the effect clashes with one of its names, or a function is missing.
            let name = self.text.get(range).unwrap_or_default().trim();
            return ShaderError::new(&first.file, format!("{message} (the instrument defines {name:?} itself)"));
        };
        let text = &self.text[part.start..part.start + part.len];
        let at = range.start - part.start;
        let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let line = text[start..].lines().next().unwrap_or_default().to_owned();
        let number = text[..at].matches('\n').count() + 1;
        let column = text[start..at].chars().count() + 1;
        ShaderError { file: part.file.clone(), at: Some((number, column)), message, line }
    }

    /// An error in line `number` (from 1) of a part.
    fn error_at(&self, part: usize, error: header::HeaderError) -> ShaderError {
        let Part { start, len, .. } = self.parts[part];
        let text = &self.text[start..start + len];
        let before = text.split_inclusive('\n').take(error.line - 1).map(str::len).sum::<usize>();
        let indent = text[before..].len() - text[before..].trim_start().len();
        let at = start + (before + indent).min(len.saturating_sub(1));
        self.error(Some(at..start + len), error.message)
    }

    /// Appends what the text imports, and what that imports, each file once.
    fn take_in(&mut self, imports: &[(usize, String)], import: &Import) -> Result<(), ShaderError> {
        let mut waiting: Vec<(usize, usize, String)> =
            imports.iter().map(|(line, name)| (0, *line, name.clone())).collect();
        while let Some((part, line, name)) = waiting.pop() {
            let (path, text) =
                import(&name).map_err(|message| self.error_at(part, header::HeaderError { line, message }))?;
            if self.parts.iter().any(|part| part.file == path) {
                continue;
            }
            let start = self.text.len();
            if start + text.len() > MOST_BYTES {
                let message = format!("the text is too long: at most 256 KiB with its imports, which {name} exceeds");
                return Err(ShaderError::new(&self.parts[0].file, message));
            }
            self.text.push_str(&text);
            self.text.push('\n');
            self.parts.push(Part { start, len: text.len() + 1, file: path });
            let own = self.parts.len() - 1;
            let header = header::read(&text).map_err(|error| self.error_at(own, error))?;
            waiting.extend(header.imports.into_iter().map(|(line, name)| (own, line, name)));
        }
        Ok(())
    }
}

/// Reads an imported file: its path and text.
pub type Import<'a> = dyn Fn(&str) -> Result<(PathBuf, String), String> + 'a;

impl Shader {
    /// Checks the text of `file`; `import` reads the files that it imports.
    ///
    /// # Errors
    /// With the place of the first mistake.
    pub fn parse(file: &Path, text: &str, import: &Import) -> Result<Shader, ShaderError> {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !header::is_name(&name) {
            return Err(ShaderError::new(file, "an effect's file name takes letters, digits, - and _ only"));
        }
        let mut source = Source {
            text: format!("{text}\n"),
            parts: vec![Part { start: 0, len: text.len() + 1, file: file.to_owned() }],
        };
        let header = header::read(text).map_err(|error| source.error_at(0, error))?;
        source.take_in(&header.imports, import)?;
        if source.text.len() > MOST_BYTES {
            let found = source.text.len() / 1024;
            return Err(ShaderError::new(file, format!("the text is too long: at most 256 KiB, found {found} KiB")));
        }
        let own = source.text.len();
        source.text.push_str(PRELUDE);
        source.text.push_str(&generated(&header));

        let mut module = wgsl::parse_str(&source.text).map_err(|error| {
            let range = error.labels().find_map(|(span, _)| span.to_range());
            let detail = error.labels().map(|(_, text)| text).find(|text| !text.is_empty());
            let message = match detail {
                Some(detail) if !error.message().contains(detail) => format!("{}: {detail}", error.message()),
                _ => error.message().to_owned(),
            };
            explain(&source, own, range, message)
        })?;
        let fields = header.fields(&module).map_err(|error| source.error_at(0, error))?;
        bound_loops(&mut module);
        let info =
            Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module).map_err(|error| {
                let range = error.spans().find_map(|(span, _)| span.to_range());
                let mut causes = Vec::new();
                let mut cause: Option<&dyn std::error::Error> = Some(error.as_inner());
                while let Some(error) = cause {
                    causes.push(error.to_string());
                    cause = error.source();
                }
                explain(&source, own, range, causes.join(": "))
            })?;
        let uses = |name: &str| {
            let global = module.global_variables.iter().find(|(_, global)| global.name.as_deref() == Some(name));
            let points = 0..module.entry_points.len();
            global.is_some_and(|(handle, _)| points.clone().any(|at| !info.get_entry_point(at)[handle].is_empty()))
        };
        let text_reads = |words: &[&str]| words.iter().any(|word| source.text[..own].contains(word));
        let reads = Reads {
            last: uses("lj_last"),
            shown: uses("lj_shown"),
            painting: uses("lj_painting"),
            network: uses("lj_network"),
            time: uses("lj_last")
                || uses("lj_shown")
                || !header.textures.is_empty()
                || text_reads(&["time(", "dt(", "beat(", "frame("]),
        };
        let mut hasher = DefaultHasher::new();
        source.text[..own].hash(&mut hasher);
        let fingerprint = hasher.finish();
        let files = source.parts.into_iter().map(|part| part.file).collect();
        let (textures, help) = (header.textures, header.help);
        Ok(Shader {
            name,
            help,
            fields,
            textures,
            steps: header.steps,
            reads,
            files,
            module,
            fingerprint,
            script: None,
        })
    }
}

impl Shader {
    /// The rows of the effect under this name: `enabled`, `mix`, and its parameters.
    pub fn rows(&self, name: &str) -> Vec<Def> {
        let address = |param: &str| intern(&format!("/fx/{name}/{param}"));
        let params = self.fields.iter().filter_map(|field| match &field.what {
            What::Param(def) => Some(Def { address: address(&field.name), ..*def }),
            What::Signal(_) => None,
        });
        let enabled = Def::boolean(address("enabled"), true).help("whether the effect runs");
        let mix = Def::float(address("mix"), 0.0, 1.0, 1.0).smooth(0.08);
        let common = [enabled, mix.help("share of the effect; 0 passes the picture on")];
        common
            .into_iter()
            .chain(params)
            .map(|def| def.saving(Saving::Elsewhere("it belongs under [[effects]]")))
            .collect()
    }
}

/// An error of the compiler, in the effect's own terms.
fn explain(source: &Source, own: usize, range: Option<std::ops::Range<usize>>, message: String) -> ShaderError {
    let is_ours = range.as_ref().is_some_and(|range| range.start >= own);
    if is_ours && message.contains("no definition in scope for identifier") {
        let name = range.and_then(|range| source.text.get(range)).unwrap_or_default();
        return source.error(None, format!("the function {name:?} is missing: fn {name}(uv: vec2f) -> vec4f"));
    }
    if is_ours && let Err(error) = wgsl::parse_str(&source.text[..own]) {
        // The text ends too early: what follows it is not to blame.
        let range = error.labels().find_map(|(span, _)| span.to_range());
        let last = source.text[..own].trim_end().len().saturating_sub(1);
        let at = range.map_or(last, |range| range.start.min(last));
        if !error.message().contains("no definition in scope") {
            return source.error(Some(at..own), error.message().to_owned());
        }
    }
    source.error(range, message)
}

/// The entry points and bindings that follow from the header.
fn generated(header: &header::Header) -> String {
    let mut out = format!("\nconst LJ_MOST_TURNS = {MOST_TURNS}u;\nconst LJ_RUNAWAY = {RUNAWAY:.1};\n");
    if header.has_params {
        out.push_str("@group(0) @binding(1) var<storage, read> p: Params;\n");
    }
    for (i, texture) in header.textures.iter().enumerate() {
        let (name, binding) = (&texture.name, FIRST_TEXTURE + i as u32);
        out.push_str(&format!(
            "@group(0) @binding({binding}) var lj_t_{name}: texture_2d<f32>;\n\
             fn {name}(uv: vec2f) -> vec4f {{ return textureSampleLevel(lj_t_{name}, lj_sampler, uv, 0.0); }}\n\
             fn {name}_at(pixel: vec2u) -> vec4f {{\n    \
             return textureLoad(lj_t_{name}, min(pixel, textureDimensions(lj_t_{name}) - 1u), 0);\n}}\n"
        ));
    }
    if header.steps.iter().any(|step| step.groups.is_some()) {
        out.push_str(&format!(
            "@group(0) @binding({TARGET}) var lj_target: texture_storage_2d<rgba16float, write>;\n\
             fn store(pixel: vec2u, colour: vec4f) {{ textureStore(lj_target, pixel, lj_finish(colour)); }}\n"
        ));
    }
    for step in header.steps.iter().filter(|step| step.groups.is_none()) {
        let function = &step.function;
        let colour = match step.to {
            Some(_) => "colour".to_owned(),
            None => "vec4f(mix(lj_sane(picture(corner.uv)).rgb, colour.rgb, select(lj.mix, 1.0, lj_turns > LJ_MOST_TURNS)), 1.0)".to_owned(),
        };
        out.push_str(&format!(
            "@fragment\nfn lj_step_{function}(corner: LjCorner) -> @location(0) vec4f {{\n    \
             let colour = lj_finish({function}(corner.uv));\n    return {colour};\n}}\n"
        ));
    }
    out
}

/// The bindings of an effect's textures, and of what a compute step fills.
pub const FIRST_TEXTURE: u32 = 9;
pub const TARGET: u32 = 30;

/// Ends every loop once those of the invocation have turned [`MOST_TURNS`] times.
fn bound_loops(module: &mut Module) {
    let turns = module.global_variables.iter().find(|(_, global)| global.name.as_deref() == Some("lj_turns"));
    let Some((turns, _)) = turns else { return };
    let Module { functions, entry_points, .. } = module;
    let points = entry_points.iter_mut().map(|point| &mut point.function);
    for function in functions.iter_mut().map(|(_, function)| function).chain(points) {
        let mut body = std::mem::take(&mut function.body);
        bound_block(&mut body, &mut function.expressions, turns);
        function.body = body;
    }
}

fn bound_block(
    block: &mut naga::Block,
    expressions: &mut naga::Arena<Expression>,
    turns: naga::Handle<naga::GlobalVariable>,
) {
    for statement in block.iter_mut() {
        match statement {
            Statement::Block(block) => bound_block(block, expressions, turns),
            Statement::If { accept, reject, .. } => {
                bound_block(accept, expressions, turns);
                bound_block(reject, expressions, turns);
            }
            Statement::Switch { cases, .. } => {
                cases.iter_mut().for_each(|case| bound_block(&mut case.body, expressions, turns));
            }
            Statement::Loop { body, continuing, .. } => {
                bound_block(body, expressions, turns);
                bound_block(continuing, expressions, turns);
                let add = |expressions: &mut naga::Arena<Expression>, e| expressions.append(e, Span::UNDEFINED);
                let pointer = add(expressions, Expression::GlobalVariable(turns));
                let one = add(expressions, Expression::Literal(naga::Literal::U32(1)));
                let most = add(expressions, Expression::Literal(naga::Literal::U32(MOST_TURNS)));
                let before = expressions.len();
                let load = add(expressions, Expression::Load { pointer });
                let op = naga::BinaryOperator::Add;
                let sum = add(expressions, Expression::Binary { op, left: load, right: one });
                let op = naga::BinaryOperator::Greater;
                let is_over = add(expressions, Expression::Binary { op, left: sum, right: most });
                let emitted = expressions.range_from(before);
                let mut accept = naga::Block::new();
                accept.push(Statement::Break, Span::UNDEFINED);
                let mut bounded = naga::Block::new();
                bounded.push(Statement::Emit(emitted), Span::UNDEFINED);
                bounded.push(Statement::Store { pointer, value: sum }, Span::UNDEFINED);
                let reject = naga::Block::new();
                bounded.push(Statement::If { condition: is_over, accept, reject }, Span::UNDEFINED);
                bounded.append(body);
                *body = bounded;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Shader, ShaderError> {
        Shader::parse(Path::new("fx/ripple.wgsl"), text, &|name| match name {
            "lib.wgsl" => Ok(("fx/lib.wgsl".into(), "fn half(x: f32) -> f32 { return x * 0.5; }".into())),
            "bad.wgsl" => Ok(("fx/bad.wgsl".into(), "\nfn half(x: f32) -> f32 { return y; }".into())),
            _ => Err(format!("there is no {name} beside it")),
        })
    }

    const RIPPLE: &str = "//! Bends the picture\n//! like water.\nstruct Params {\n    depth: f32, // 0..0.2 = 0.03: how far\n    \
        waves: i32, // 1..40 = 12: how many\n}\nfn effect(uv: vec2f) -> vec4f {\n    \
        return picture(uv + sin(uv.yx * f32(p.waves) + time()) * p.depth);\n}\n";

    #[test]
    fn a_file_becomes_an_effect() {
        let shader = parse(RIPPLE).unwrap();
        assert_eq!((shader.name.as_str(), shader.help.as_str()), ("ripple", "Bends the picture like water."));
        assert_eq!(shader.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["depth", "waves"]);
        assert_eq!(shader.steps, [Step { function: "effect".into(), to: None, groups: None }]);
        assert_eq!(shader.reads, Reads { time: true, ..Reads::default() });
        let still = parse("fn effect(uv: vec2f) -> vec4f { return last(uv) + network(uv); }").unwrap();
        assert!(still.reads.last && still.reads.network && !still.reads.shown && !still.reads.painting);
    }

    #[test]
    fn steps_textures_and_imports() {
        let shader = parse(
            "//@ import lib.wgsl\n//@ texture small half\n//@ texture sorted 64x32\n//@ step shrink -> small\n\
             //@ compute sort -> sorted rows\nfn shrink(uv: vec2f) -> vec4f { return picture(uv) * half(1.0); }\n\
             @compute @workgroup_size(64) fn sort(@builtin(workgroup_id) g: vec3u, @builtin(local_invocation_index) i: u32) \
             { store(vec2u(i, g.x), at(vec2u(i, g.x)) + small_at(g.xy)); }\n\
             fn effect(uv: vec2f) -> vec4f { return small(uv) + sorted(uv); }",
        )
        .unwrap();
        assert_eq!(shader.steps.len(), 3);
        assert_eq!(shader.steps[1], Step { function: "sort".into(), to: Some(1), groups: Some(Groups::Rows) });
        assert_eq!(shader.textures[0].extent.of([1281, 720]), [641, 360]);
        assert_eq!(shader.textures[1].extent.of([1281, 720]), [64, 32]);
        assert_eq!(shader.files, [Path::new("fx/ripple.wgsl"), Path::new("fx/lib.wgsl")]);
    }

    #[test]
    fn a_mistake_has_its_place() {
        for (text, line) in [
            (
                "fn effect(uv: vec2f) -> vec4f {\n    return pictur(uv);\n}",
                "ripple.wgsl:2:12: no definition in scope for identifier: `pictur`",
            ),
            ("fn effect(uv: vec2f) -> vec4f { return vec3f(1.0); }", "ripple.wgsl:1:"),
            ("fn efect(uv: vec2f) -> vec4f { return vec4f(1.0); }", "ripple.wgsl: the function \"effect\" is missing"),
            (
                "//@ import bad.wgsl\nfn effect(uv: vec2f) -> vec4f { return vec4f(half(1.0)); }",
                "bad.wgsl:2:33: no definition",
            ),
            (
                "//@ import none.wgsl\nfn effect(uv: vec2f) -> vec4f { return vec4f(1.0); }",
                "ripple.wgsl:1:1: there is no none.wgsl",
            ),
            (
                "struct Params {\n  a: f32, // 1..0 = 0: x\n}\nfn effect(uv: vec2f) -> vec4f { return vec4f(p.a); }",
                "ripple.wgsl:2:3: ",
            ),
            (
                "struct Params {\n  a: vec2f,\n}\nfn effect(uv: vec2f) -> vec4f { return vec4f(p.a.x); }",
                "ripple.wgsl:2:3: ",
            ),
            ("fn time() -> f32 { return 0.0; }\nfn effect(uv: vec2f) -> vec4f { return vec4f(1.0); }", "ripple.wgsl"),
            ("fn effect(uv: vec2f) -> vec4f {\n    return vec4f(", "ripple.wgsl:2:"),
            ("", "ripple.wgsl: the function \"effect\" is missing"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().starts_with(line), "{text}\n{error}\nexpected {line}");
            assert!(error.block().lines().count() <= 8, "{}", error.block());
        }
        let block = parse("fn effect(uv: vec2f) -> vec4f {\n\treturn pictur(uv);\n}").unwrap_err().block();
        assert!(block.ends_with("\n2 | \treturn pictur(uv);\n  | \t       ^"), "{block}");
        let long = format!("{}\n{RIPPLE}", "// padding\n".repeat(30_000));
        assert!(parse(&long).unwrap_err().to_string().contains("at most 256 KiB, found 322 KiB"));
    }

    #[test]
    fn loops_are_bounded() {
        let shader = parse(
            "fn effect(uv: vec2f) -> vec4f {\n var x = 0.0; loop { x += 1.0; if x < 0.0 { break; } }\n\
             for (var i = 0; i < 9; i++) { while x > 0.0 { x -= 0.5; } switch i { case 1: { loop { break; } } default: {} } }\n return vec4f(x);\n}",
        )
        .unwrap();
        let bounded = |function: &naga::Function| {
            function
                .expressions
                .iter()
                .filter(|(_, e)| **e == Expression::Literal(naga::Literal::U32(MOST_TURNS)))
                .count()
        };
        let counts: usize = shader.module.functions.iter().map(|(_, function)| bounded(function)).sum();
        assert_eq!(counts, 4, "four loops");
    }
}
