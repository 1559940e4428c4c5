//! The kernels' source: one file a kernel in `shaders/engine`, shared parts by `//! import NAME`.
//!
//! A kernel computes with `Num`, which is f32 or f16, and has its sizes as constants (`const NAME: TYPE = VALUE;`) that
//! stand for the sizes of one layer: the compiler sees numbers instead of variables. [`source`] puts all that together.

use super::Precision;

/// Kernels and shared parts: name and text.
macro_rules! files {
    ($($name:literal: $file:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../shaders/engine/", $file)))),*]
    };
}

/// The kernels.
const KERNELS: &[(&str, &str)] = files! {
    "ceiling_copy": "ceiling_copy.wgsl",
    "ceiling_fma": "ceiling_fma.wgsl",
    "conv": "conv.wgsl",
    "filtered": "filtered.wgsl",
    "finish": "finish.wgsl",
    "fir": "fir.wgsl",
    "fourier": "fourier.wgsl",
    "moments": "moments.wgsl",
    "normalise": "normalise.wgsl",
    "picture": "picture.wgsl",
    "reflected": "reflected.wgsl",
    "residual": "residual.wgsl",
    "rows": "rows.wgsl",
    "scales": "scales.wgsl",
    "torgb": "torgb.wgsl",
};

/// What kernels import.
const SHARED: &[(&str, &str)] = files! {
    "ending": "shared/ending.wgsl",
    "upsample": "shared/upsample.wgsl",
};

/// The value of a constant of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    U(usize),
    F(f32),
    B(bool),
    /// Numbers of 32 bits, and the constant that says how many.
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

/// The whole source of a kernel: what it imports, with `Num` and its constants.
pub fn source(kernel: &str, precision: Precision, constants: &Constants) -> String {
    let text = find(KERNELS, kernel);
    let mut out = String::from(match precision {
        Precision::F32 => "alias Num = f32;\n",
        Precision::F16 => "enable f16;\nalias Num = f16;\n",
    });
    for import in text.lines().filter_map(|line| line.strip_prefix("//! import ")) {
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
}
