//! The kernels' source: one file a kernel in `shaders/engine`, shared parts by `//! import NAME`.
//!
//! A kernel computes with `Num`, which is f32 or f16, and has its sizes as constants (`const NAME: TYPE = VALUE;`) that
//! stand for the sizes of one layer: the compiler sees numbers instead of variables. `{SIDE}` is the number itself where the
//! name will not do; the line or block below `//! each r < ROWS, c < COLUMNS` is written once for each `{r}` and `{c}`; and
//! `//! enable NAME` asks for an extension. [`source`] puts all that together.

use super::Precision;

/// Kernels and shared parts: name and text.
macro_rules! files {
    ($($name:literal: $file:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../shaders/engine/", $file)))),*]
    };
}

/// The kernels.
const KERNELS: &[(&str, &str)] = files! {
    "averages": "averages.wgsl",
    "bend": "bend.wgsl",
    "roofline_copy": "roofline_copy.wgsl",
    "roofline_fma": "roofline_fma.wgsl",
    "roofline_half": "roofline_fma.wgsl",
    "roofline_matrix": "roofline_matrix.wgsl",
    "conv": "conv.wgsl",
    "conv_half": "conv.wgsl",
    "conv_matrix": "conv_matrix.wgsl",
    "conv_matrix_up": "conv_matrix_up.wgsl",
    "excite": "excite.wgsl",
    "filtered": "filtered.wgsl",
    "finish": "finish.wgsl",
    "fir": "fir.wgsl",
    "fourier": "fourier.wgsl",
    "gated": "gated.wgsl",
    "latent": "latent.wgsl",
    "moments": "moments.wgsl",
    "normalise": "normalise.wgsl",
    "picture": "picture.wgsl",
    "reflected": "reflected.wgsl",
    "reflected_half": "reflected.wgsl",
    "residual": "residual.wgsl",
    "resize": "resize.wgsl",
    "styles": "styles.wgsl",
    "scales": "scales.wgsl",
    "shown": "shown.wgsl",
    "torgb": "torgb.wgsl",
    "winograd_in": "winograd_in.wgsl",
    "winograd_out": "winograd_out.wgsl",
};

/// What kernels import.
const SHARED: &[(&str, &str)] = files! {
    "epilogue": "shared/epilogue.wgsl",
    "layer": "shared/layer.wgsl",
    "matrix": "shared/matrix.wgsl",
    "whole": "../shared/whole.wgsl",
    "reflect": "shared/reflect.wgsl",
    "upsample": "shared/upsample.wgsl",
    "winograd": "shared/winograd.wgsl",
};

/// The value of a constant of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    U(usize),
    F(f32),
    B(bool),
    /// 32-bit numbers, and the constant with their count.
    List(&'static str, Vec<f32>),
}

/// Constants of a kernel by name.
pub type Constants = Vec<(&'static str, Value)>;

/// Names of all kernels.
pub fn names() -> impl Iterator<Item = &'static str> {
    KERNELS.iter().map(|(name, _)| *name)
}

fn find(files: &[(&'static str, &'static str)], name: &str) -> &'static str {
    files.iter().find(|(n, _)| *n == name).expect("kernels are named by this engine alone").1
}

/// The `//!` lines of a text that start with a word, without it.
fn marked<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.trim_start().strip_prefix("//! ")?.strip_prefix(word)?.strip_prefix(' '))
}

/// The complete source of a kernel: with imports, `Num` and constants. `Part` is the type that a kernel adds a few
/// products in.
pub fn source(kernel: &str, precision: Precision, constants: &Constants) -> String {
    let text = find(KERNELS, kernel);
    let mut out: String = marked(text, "enable").map(|name| format!("enable {name};\n")).collect();
    out.push_str(match precision {
        Precision::F32 => "alias Num = f32;\nalias Part = f32;\n",
        Precision::F16 if kernel.ends_with("_half") => "enable f16;\nalias Num = f16;\nalias Part = f16;\n",
        Precision::F16 => "enable f16;\nalias Num = f16;\nalias Part = f32;\n",
    });
    for import in marked(text, "import") {
        out.push_str(find(SHARED, import));
    }
    out.push_str(text);
    for (name, value) in constants {
        let (kind, value) = match value {
            Value::U(n) => ("u32".to_owned(), format!("{n}u")),
            Value::F(x) => ("f32".to_owned(), format!("{x:e}f")),
            Value::B(b) => ("bool".to_owned(), b.to_string()),
            Value::List(count, list) => {
                let list: Vec<String> = list.iter().map(|x| format!("{x:e}f")).collect();
                let kind = format!("array<f32, {count}>");
                let value = format!("{kind}({})", list.join(", "));
                (kind, value)
            }
        };
        let start = format!("const {name}: {kind} = ");
        let at = out.find(&start).expect("the kernel has this constant") + start.len();
        let end = at + out[at..].find(';').expect("constants end");
        out.replace_range(at..end, &value);
    }
    expand(&out)
}

/// The whole source of a pass: what it imports from `shaders/shared`, and its text. An import that is not there is left to
/// the compiler, which names what is missing.
pub fn of_pass(text: &str) -> String {
    let known = |import: &str| SHARED.iter().find(|(name, _)| *name == import).map_or("", |(_, text)| text);
    marked(text, "import").map(known).chain([text]).collect()
}

/// The value of a constant in a text.
fn constant(text: &str, name: &str) -> usize {
    let start = format!("const {name}: u32 = ");
    let rest =
        text.split_once(&start).and_then(|(_, rest)| rest.split_once("u;")).expect("the kernel has this constant");
    rest.0.parse().expect("the constant is a plain number")
}

/// Expands `//! each` and replaces `{SIDE}` by its number.
fn expand(text: &str) -> String {
    let mut out = repeat(text, text);
    if out.contains("{SIDE}") {
        out = out.replace("{SIDE}", &constant(text, "SIDE").to_string());
    }
    out
}

/// `part` with the line or the block `{ … }` below each `//! each` repeated; `whole` has the constants.
fn repeat(part: &str, whole: &str) -> String {
    let mut out = String::with_capacity(part.len());
    let mut lines = part.lines();
    while let Some(line) = lines.next() {
        let Some(ranges) = line.trim_start().strip_prefix("//! each ") else {
            out.push_str(line);
            out.push('\n');
            continue;
        };
        let first = lines.next().expect("a line follows");
        let mut copies = vec![first.to_owned()];
        if let Some(indent) = first.strip_suffix('{').filter(|indent| indent.trim().is_empty()) {
            let end = format!("\n{indent}}}");
            while !copies[0].ends_with(&end) {
                copies[0] = format!("{}\n{}", copies[0], lines.next().expect("the block ends"));
            }
        }
        for range in ranges.split(", ") {
            let (name, end) = range.split_once(" < ").expect("a name and its end");
            let (mark, count) = (format!("{{{name}}}"), constant(whole, end));
            let written = |copy: &String| (0..count).map(|n| copy.replace(&mark, &n.to_string())).collect::<Vec<_>>();
            copies = copies.iter().flat_map(written).collect();
        }
        out.push_str(&repeat(&copies.join("\n"), whole));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_replaced_and_parts_imported() {
        let constants = vec![("COUNT", Value::U(77)), ("SIGMA", Value::F(-0.25)), ("HAS_NOISE", Value::B(false))];
        let text = source("finish", Precision::F32, &constants);
        for line in [
            "alias Num = f32;",
            "const COUNT: u32 = 77u;",
            "const SIGMA: f32 = -2.5e-1f;",
            "const HAS_NOISE: bool = false;",
        ] {
            assert!(text.contains(line), "{line}");
        }
        assert!(source("finish", Precision::F16, &Vec::new()).starts_with("enable f16;"));
    }

    #[test]
    fn lines_and_blocks_are_repeated_for_each_number() {
        let text = "const A: u32 = 2u;\nconst SIDE: u32 = 8u;\n  //! each r < A, c < SIDE\n  x_{r}_{c} = {r}u;\n\
            //! each r < A\n{\n  //! each c < A\n  y({r}, {c});\n  z({r});\n}\nm{SIDE}";
        let lines: Vec<String> = expand(text).lines().map(str::to_owned).collect();
        assert_eq!(lines[2..4], ["  x_0_0 = 0u;", "  x_0_1 = 0u;"]);
        assert_eq!(lines[17], "  x_1_7 = 1u;");
        let block = |r| {
            ["{".to_owned(), format!("  y({r}, 0);"), format!("  y({r}, 1);"), format!("  z({r});"), "}".to_owned()]
        };
        assert_eq!(lines[18..23], block(0));
        assert_eq!(lines[23..28], block(1));
        assert_eq!(lines[28..], ["m8"]);
    }
}
