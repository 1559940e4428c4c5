//! Does every broken, inconsistent or foreign file give an error that names the problem, and never a picture?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use crate::common::fixture;
use latent_jockey::network::{self, NetworkError};
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

/// The message for a file.
fn message(path: &Path) -> String {
    let error = network::open(path).expect_err("the file is broken");
    let text = error.to_string();
    let file = path.file_name().expect("a file").to_string_lossy().into_owned();
    assert!(text.contains(&file), "{text} does not name {file}");
    text
}

#[test]
fn hostile_files_are_refused() {
    for (file, word) in [
        ("st_header_too_long", "header"),
        ("st_header_not_json", "JSON"),
        ("st_header_deep_json", "JSON"),
        ("st_offsets_past_end", "safetensors"),
        ("st_offsets_reversed", "safetensors"),
        ("st_shape_mismatch", "safetensors"),
        ("st_shape_overflow", "safetensors"),
        ("st_overlap", "safetensors"),
        ("st_unknown_dtype", "unknown variant"),
        ("st_truncated", "incomplete"),
        ("st_not_a_network", "no known network layout"),
    ] {
        let text = message(&fixture(&format!("hostile/{file}.safetensors")));
        assert!(text.contains(word), "{file}: {text}");
    }
}

#[test]
fn other_files_are_named_for_what_they_are() {
    let folder = std::env::temp_dir().join(format!("latent-jockey-strangers-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes, word) in [
        ("page.pkl", &b"<!DOCTYPE html><html></html>"[..], "web page"),
        ("pointer.pkl", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        ("packed.pkl", b"\x1f\x8b\x08\0\0\0\0\0\0\0", "gzip"),
        ("picture.pkl", b"\x89PNG\r\n\x1a\n\0\0\0\0", "PNG"),
        ("nothing.safetensors", b"", "empty"),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        let text = message(&path);
        assert!(text.contains(word), "{name}: {text}");
    }
    assert!(message(&folder).contains("folder"));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(network::open(folder.join("absent")), Err(NetworkError::Io { .. })));
}

/// A copy of the fixture with one tensor replaced by `change`: (shape, values), or `None` to omit it.
fn with_tensor(name: &str, change: impl Fn(Vec<usize>, Vec<f32>) -> Option<(Vec<usize>, Vec<f32>)>) -> String {
    let checkpoint = network::checkpoint::Checkpoint::open(&fixture("sg2_32.safetensors")).expect("opens");
    let mut tensors = Vec::new();
    for (key, tensor) in &checkpoint.tensors {
        let (shape, values) = (tensor.shape.clone(), tensor.to_f32().expect("floats"));
        let changed = if key == name { change(shape, values) } else { Some((shape, values)) };
        let Some((shape, values)) = changed else { continue };
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        tensors.push((key.clone(), shape, bytes));
    }
    let views = tensors.iter().map(|(k, s, b)| (k, TensorView::new(Dtype::F32, s.clone(), b).expect("fits")));
    let file = format!("latent-jockey-changed-{}-{name}.safetensors", std::process::id());
    let path = std::env::temp_dir().join(file);
    serialize_to_file(views, None, &path).expect("writes");
    let result = network::open(&path).map(|n| format!("opens: {:?}", n.warnings));
    std::fs::remove_file(&path).expect("removes");
    result.unwrap_or_else(|e| e.to_string())
}

#[test]
fn a_bad_tensor_is_named_with_both_shapes() {
    let weight = "synthesis.b8.conv1.weight";
    let missing = with_tensor(weight, |_, _| None);
    assert!(missing.contains(weight) && missing.contains("missing"), "{missing}");
    let narrow = with_tensor(weight, |_, v| Some((vec![32, 31, 3, 3], v[..32 * 31 * 9].to_vec())));
    assert!(
        narrow.contains(weight) && narrow.contains("[32, 32, 3, 3]") && narrow.contains("[32, 31, 3, 3]"),
        "{narrow}"
    );
    let flat = with_tensor("synthesis.b8.conv1.bias", |_, v| Some((vec![32, 1], v)));
    assert!(flat.contains("synthesis.b8.conv1.bias") && flat.contains("[32, 1]"), "{flat}");
    let affine = with_tensor("synthesis.b16.conv0.affine.weight", |_, v| Some((vec![32, 63], v[..32 * 63].to_vec())));
    assert!(affine.contains("[32, 64]") && affine.contains("[32, 63]"), "{affine}");
    for bad in [f32::NAN, f32::INFINITY] {
        let text = with_tensor(weight, |s, mut v| {
            v[7] = bad;
            Some((s, v))
        });
        assert!(text.contains(weight) && text.contains("number 7"), "{text}");
    }
}

#[test]
fn missing_optional_tensors_are_warned_about() {
    let text = with_tensor("mapping.w_avg", |_, _| None);
    assert!(text.contains("opens") && text.contains("w_avg"), "{text}");
    let text = with_tensor("synthesis.b8.conv1.noise_const", |_, _| None);
    assert!(text.contains("opens") && text.contains("noise_const"), "{text}");
}
