//! Which Python names a pickle may mention, and what they mean to a reader that runs nothing.
//!
//! Module and name are matched whole, never by prefix and never by resolving dots. A name is either known (the
//! machine builds plain data for it), harmful (the file is refused, although nothing would be run), or
//! inert: kept as a name and skipped, because legitimate files hold many such names beside their network.

use crate::network::checkpoint::Dtype;

/// A name whose meaning as plain data is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// `torch_utils.persistence._reconstruct_persistent_obj`: a module of NVIDIA's code.
    PersistentObject,
    OrderedDict,
    /// A dict under another name: `dnnlib.util.EasyDict`, `argparse.Namespace`.
    DictLike,
    Set,
    RebuildTensor,
    RebuildParameter,
    LoadFromBytes,
    /// `_codecs.encode`: how protocol 2 writes bytes.
    Encode,
    NumpyScalar,
    NumpyReconstruct,
    NumpyFromBuffer,
    NumpyNdarray,
    NumpyDtype,
    /// `dill._dill._create_array`.
    DillArray,
    /// A plain module of torch's or of projected-gan's generators, whose attributes are its state: StyleGAN-XL's table of
    /// classes, and everything in a FastGAN.
    Module,
    /// `dnnlib.tflib.network.Network`: a network from the TensorFlow era.
    TensorFlowNetwork,
    /// `torch.Size`: a tuple under another name.
    Size,
    /// The element type of a storage.
    Storage(Element),
}

/// The type in which a number of a tensor is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl Element {
    /// Bytes per number.
    pub fn size(self) -> usize {
        match self {
            Element::F64 | Element::I64 => 8,
            Element::F32 | Element::I32 => 4,
            Element::F16 | Element::BF16 | Element::I16 => 2,
            Element::I8 | Element::U8 | Element::Bool => 1,
        }
    }

    /// The corresponding type of a checkpoint; only floats can be weights.
    pub fn dtype(self) -> Dtype {
        match self {
            Element::F64 => Dtype::F64,
            Element::F32 => Dtype::F32,
            Element::F16 => Dtype::F16,
            Element::BF16 => Dtype::Bf16,
            Element::I64 => Dtype::Other { name: "64-bit integer", bytes: 8 },
            Element::I32 => Dtype::Other { name: "32-bit integer", bytes: 4 },
            Element::I16 => Dtype::Other { name: "16-bit integer", bytes: 2 },
            Element::I8 | Element::U8 => Dtype::Other { name: "8-bit integer", bytes: 1 },
            Element::Bool => Dtype::Other { name: "boolean", bytes: 1 },
        }
    }

    /// The first number in `bytes`, little-endian. `None` when there are too few bytes.
    pub fn decode(self, bytes: &[u8]) -> Option<f64> {
        Some(match self {
            Element::F64 => f64::from_le_bytes(*bytes.first_chunk()?),
            Element::F32 => f32::from_le_bytes(*bytes.first_chunk()?).into(),
            Element::F16 => half::f16::from_le_bytes(*bytes.first_chunk()?).into(),
            Element::BF16 => half::bf16::from_le_bytes(*bytes.first_chunk()?).into(),
            Element::I64 => i64::from_le_bytes(*bytes.first_chunk()?) as f64,
            Element::I32 => i32::from_le_bytes(*bytes.first_chunk()?).into(),
            Element::I16 => i16::from_le_bytes(*bytes.first_chunk()?).into(),
            Element::I8 => i8::from_le_bytes(*bytes.first_chunk()?).into(),
            Element::U8 | Element::Bool => (*bytes.first()?).into(),
        })
    }
}

/// The meaning of `module.name`; `None` for an inert name.
pub fn known(module: &str, name: &str) -> Option<Known> {
    Some(match (module, name) {
        ("torch_utils.persistence", "_reconstruct_persistent_obj") => Known::PersistentObject,
        ("collections", "OrderedDict") => Known::OrderedDict,
        ("dnnlib.util" | "dnnlib", "EasyDict") | ("argparse", "Namespace") => Known::DictLike,
        ("builtins" | "__builtin__", "set" | "frozenset") => Known::Set,
        ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Known::RebuildTensor,
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Known::RebuildParameter,
        ("torch.storage", "_load_from_bytes") => Known::LoadFromBytes,
        ("_codecs", "encode") => Known::Encode,
        ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Known::NumpyScalar,
        ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Known::NumpyReconstruct,
        ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Known::NumpyFromBuffer,
        ("numpy", "ndarray") => Known::NumpyNdarray,
        ("numpy", "dtype") => Known::NumpyDtype,
        ("dill._dill", "_create_array") => Known::DillArray,
        ("torch.nn.modules.sparse", "Embedding")
        | ("torch.nn.modules.container", "Sequential")
        | ("torch.nn.modules.conv", "Conv2d" | "ConvTranspose2d")
        | ("torch.nn.modules.batchnorm", "BatchNorm2d")
        | ("torch.nn.modules.linear", "Linear")
        | ("pg_modules.networks_fastgan", "Generator" | "FastganSynthesis" | "FastganSynthesisCond" | "DummyMapping")
        | (
            "pg_modules.blocks",
            "InitLayer" | "SEBlock" | "NoiseInjection" | "CCBN" | "UpBlockBigCond" | "UpBlockSmallCond",
        ) => Known::Module,
        ("dnnlib.tflib.network", "Network") => Known::TensorFlowNetwork,
        ("torch", "Size") => Known::Size,
        ("torch", "DoubleStorage") => Known::Storage(Element::F64),
        ("torch", "FloatStorage") => Known::Storage(Element::F32),
        ("torch", "HalfStorage") => Known::Storage(Element::F16),
        ("torch", "BFloat16Storage") => Known::Storage(Element::BF16),
        ("torch", "LongStorage") => Known::Storage(Element::I64),
        ("torch", "IntStorage") => Known::Storage(Element::I32),
        ("torch", "ShortStorage") => Known::Storage(Element::I16),
        ("torch", "CharStorage") => Known::Storage(Element::I8),
        ("torch", "ByteStorage") => Known::Storage(Element::U8),
        ("torch", "BoolStorage") => Known::Storage(Element::Bool),
        _ => return None,
    })
}

/// Modules whose names, at any depth, have no place in a network file.
const HARMFUL_MODULES: &[&str] = &[
    "os",
    "posix",
    "nt",
    "subprocess",
    "sys",
    "shutil",
    "socket",
    "pty",
    "commands",
    "importlib",
    "runpy",
    "ctypes",
    "code",
    "codeop",
    "pdb",
    "bdb",
    "timeit",
    "webbrowser",
    "multiprocessing",
    "signal",
    "http",
    "urllib",
    "requests",
    "pip",
    "pickle",
    "_pickle",
    "marshal",
    "torch.hub",
    "torch.serialization",
    "torch.package",
    "torch.jit",
    "torch.utils.cpp_extension",
    "numpy.testing",
    "numpy.f2py",
];

/// Built-in functions that run code, open files or talk to the terminal.
const HARMFUL_BUILTINS: &[&str] = &[
    "eval",
    "exec",
    "execfile",
    "compile",
    "open",
    "file",
    "input",
    "raw_input",
    "__import__",
    "breakpoint",
    "exit",
    "quit",
    "help",
];

/// Whether a file that mentions `module.name` anywhere is refused.
pub fn is_harmful(module: &str, name: &str) -> bool {
    let below = |m: &str| module.strip_prefix(m).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let builtin = matches!(module, "builtins" | "__builtin__") && HARMFUL_BUILTINS.contains(&name);
    // Protocol 4 resolves dots in a name as attributes: `torch` + `serialization.os.system`.
    builtin || name.contains('.') || HARMFUL_MODULES.iter().any(|m| below(m))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_whole() {
        let table = [
            ("os", "system", true),
            ("os.path", "join", true),
            ("oslo", "system", false),
            ("torch.hub", "load", true),
            ("torch", "hub.load", true),
            ("torch.hubris", "load", false),
            ("builtins", "eval", true),
            ("__builtin__", "eval", true),
            ("builtins", "getattr", false),
            ("mine", "eval", false),
            ("codecs", "encode", false),
            ("_codecs", "encode", false),
        ];
        for (module, name, harmful) in table {
            assert_eq!(is_harmful(module, name), harmful, "{module}.{name}");
        }
        assert_eq!(known("collections", "OrderedDict"), Some(Known::OrderedDict));
        assert_eq!(known("collections", "OrderedDictionary"), None);
    }
}
