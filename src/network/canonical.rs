//! Our own network file: safetensors with NVIDIA's names, and the modules' attributes in the metadata.
//!
//! Written by `convert` and read by [`super::checkpoint`] like any other safetensors file. Numbers are stored unchanged, or
//! with [`Precision::Half`] the large tensors in 16 bits. The same network gives the same bytes. Runs on the command's
//! thread; holds one tensor at a time in memory.

use std::collections::BTreeMap;
use std::io::{self, Write};

use half::f16;
use serde_json::{Map, Value, json};

use super::checkpoint::{Attribute, Checkpoint, Dtype, TensorRef};

/// The metadata key of the attributes: a JSON object of names and values.
const ATTRIBUTES: &str = "attributes";
/// Limit on the JSON of the attributes, in bytes; known networks have about 50,000.
const MAX_ATTRIBUTES: usize = 16 << 20;
/// Range of a tensor's largest magnitude that 16 bits hold well: above it they overflow, below it they lose digits.
const HALF_PEAKS: std::ops::RangeInclusive<f32> = 0.004..=65504.0;

/// How precisely numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As in the file: the same picture, bit for bit.
    Full,
    /// Weights in 16-bit floats, the rest (biases, frequencies, filters, averages) as in the file.
    Half,
}

/// Writes a checkpoint in our own form, followed by its discriminator under `D.`. Integer tensors are left out: no
/// network computes with them.
///
/// # Errors
/// When `out` fails.
pub fn write(
    checkpoint: &Checkpoint,
    discriminator: Option<&Checkpoint>,
    precision: Precision,
    out: &mut impl Write,
) -> io::Result<()> {
    let parts = || [("", checkpoint)].into_iter().chain(discriminator.map(|d| ("D.", d)));
    let all = parts().flat_map(|(prefix, part)| part.tensors.iter().map(move |(n, t)| (format!("{prefix}{n}"), t)));
    let tensors: Vec<(String, &TensorRef, Dtype)> = all
        .filter_map(|(name, tensor)| {
            let dtype = stored_as(&name, tensor, precision)?;
            Some((name, tensor, dtype))
        })
        .collect();
    let mut header = Map::new();
    let mut metadata = checkpoint.metadata.clone();
    let attributes = parts().flat_map(|(prefix, part)| {
        part.attributes.iter().map(move |(n, value)| (format!("{prefix}{n}"), json_of(value)))
    });
    let attributes: Map<String, Value> = attributes.collect();
    if !attributes.is_empty() {
        metadata.insert(ATTRIBUTES.to_owned(), Value::Object(attributes).to_string());
    }
    header.insert("__metadata__".to_owned(), json!(metadata));
    let mut end = 0;
    for (name, tensor, dtype) in &tensors {
        let begin = end;
        end += tensor.len() * dtype.bytes();
        let dtype = if *dtype == Dtype::F16 { "F16" } else { "F32" };
        header.insert(name.clone(), json!({"dtype": dtype, "shape": tensor.shape, "data_offsets": [begin, end]}));
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    // The data must start at a multiple of 8.
    header.resize(header.len().next_multiple_of(8), b' ');
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for (_, tensor, dtype) in tensors {
        // Integer tensors were left out above.
        let numbers = tensor.to_f32().unwrap_or_default();
        let bytes: Vec<u8> = match dtype {
            Dtype::F16 => numbers.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect(),
            _ => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
        };
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// The type that a tensor is stored in; `None` for integers.
fn stored_as(name: &str, tensor: &TensorRef, precision: Precision) -> Option<Dtype> {
    match tensor.dtype {
        Dtype::Other { .. } => return None,
        Dtype::F16 => return Some(Dtype::F16),
        _ => {}
    }
    let leaf = name.rsplit('.').next().unwrap_or(name);
    let is_large = tensor.shape.len() >= 2 && ["weight", "const", "noise_const"].contains(&leaf);
    if precision == Precision::Full || !is_large {
        return Some(Dtype::F32);
    }
    let peak = tensor.to_f32().ok()?.iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
    Some(if HALF_PEAKS.contains(&peak) { Dtype::F16 } else { Dtype::F32 })
}

fn json_of(attribute: &Attribute) -> Value {
    match attribute {
        Attribute::None => Value::Null,
        Attribute::Bool(b) => json!(b),
        Attribute::Int(i) => json!(i),
        // As text: a JSON parser may lose the last bit of a number, and JSON has no infinity.
        Attribute::Float(x) => json!({"float": x.to_string()}),
        Attribute::Text(text) => json!(text),
        Attribute::List(items) => items.iter().map(json_of).collect(),
    }
}

/// Removes the attributes from a safetensors file's metadata and returns them; empty if there are none.
///
/// # Errors
/// When they are not in the form that [`fn@write`] gives them.
pub fn take_attributes(metadata: &mut BTreeMap<String, String>) -> Result<BTreeMap<String, Attribute>, String> {
    let Some(text) = metadata.remove(ATTRIBUTES) else { return Ok(BTreeMap::new()) };
    if text.len() > MAX_ATTRIBUTES {
        return Err(format!("the metadata {ATTRIBUTES} has {} bytes; at most {MAX_ATTRIBUTES} are read", text.len()));
    }
    let values: Map<String, Value> =
        serde_json::from_str(&text).map_err(|e| format!("the metadata {ATTRIBUTES} is not a JSON object: {e}"))?;
    let known = |(name, value): (String, Value)| match attribute_of(&value) {
        Some(attribute) => Ok((name, attribute)),
        None => Err(format!("the metadata {ATTRIBUTES}: {name:?} has a value of unknown type")),
    };
    values.into_iter().map(known).collect()
}

fn attribute_of(value: &Value) -> Option<Attribute> {
    Some(match value {
        Value::Null => Attribute::None,
        Value::Bool(b) => Attribute::Bool(*b),
        Value::Number(n) => n.as_i64().map(Attribute::Int).or(n.as_f64().map(Attribute::Float))?,
        Value::String(text) => Attribute::Text(text.clone()),
        Value::Array(items) => Attribute::List(items.iter().map(attribute_of).collect::<Option<_>>()?),
        Value::Object(float) => Attribute::Float(float.get("float")?.as_str()?.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_come_back_as_they_were() {
        let attributes = [
            ("a.conv_clamp", Attribute::None),
            ("a.use_noise", Attribute::Bool(true)),
            ("a.up_factor", Attribute::Int(-2)),
            ("a.bandwidth", Attribute::Float(2.0)),
            ("a.weight_gain", Attribute::Float(0.1 / 3.0)),
            ("a.clamp", Attribute::Float(f64::INFINITY)),
            ("a.name", Attribute::Text("lrelu \"x\"".into())),
            ("a.padding", Attribute::List(vec![Attribute::Int(9), Attribute::Float(8.5)])),
        ];
        let attributes: BTreeMap<String, Attribute> = attributes.into_iter().map(|(n, a)| (n.to_owned(), a)).collect();
        let text: Map<String, Value> = attributes.iter().map(|(n, a)| (n.clone(), json_of(a))).collect();
        let mut metadata = BTreeMap::from([(ATTRIBUTES.to_owned(), Value::Object(text).to_string())]);
        assert_eq!(take_attributes(&mut metadata), Ok(attributes));
        assert!(metadata.is_empty());
    }

    #[test]
    fn attributes_that_are_none_are_refused() {
        for (text, word) in [("[1]", "JSON object"), ("{\"a\": {}}", "\"a\""), ("{", "JSON object")] {
            let mut metadata = BTreeMap::from([(ATTRIBUTES.to_owned(), text.to_owned())]);
            let message = take_attributes(&mut metadata).expect_err(text);
            assert!(message.contains(word), "{message}");
        }
    }
}
