//! Detects a file's format from its first bytes.

/// A format that networks are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Safetensors,
    /// A bare pickle: NVIDIA's `.pkl`.
    Pickle,
    /// A zip archive with a pickle in it: torch since 1.6.
    TorchZip,
    /// Several pickles and raw data: torch before 1.6.
    TorchLegacy,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Format::Safetensors => "safetensors",
            Format::Pickle => "pickle",
            Format::TorchZip => "torch (zip)",
            Format::TorchLegacy => "torch (legacy)",
        })
    }
}

/// First bytes of files that people mistake for networks, and what to say about them.
const FOREIGN: &[(&[u8], &str)] = &[
    (b"version https://git-lfs", "this is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`"),
    (b"\x89PNG", "this is a PNG picture"),
    (b"\xff\xd8\xff", "this is a JPEG picture"),
    (b"GIF8", "this is a GIF picture"),
    (b"\x1f\x8b", "this is a gzip archive: unpack it first"),
    (b"BZh", "this is a bzip2 archive: unpack it first"),
    (b"\xfd7zXZ", "this is an xz archive: unpack it first"),
    (b"7z\xbc\xaf", "this is a 7z archive: unpack it first"),
    (b"Rar!", "this is a RAR archive: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "this is a zstd archive: unpack it first"),
    (b"\x89HDF", "this is an HDF5 file, a format not used for StyleGAN networks"),
    (
        b"\x04\0\0\0\x01\0\0\0\x03\0\0\0V ",
        "this is a Lua Torch network (.t7); style networks must be PyTorch .pth or .safetensors",
    ),
    (b"GGUF", "this is a GGUF language model"),
    (b"%PDF", "this is a PDF document"),
];

/// The magic number of torch's legacy format: a pickle of 0x1950a86a20f9469cfc6c.
const TORCH_LEGACY: &[u8] = &[0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

impl Format {
    /// Detects the format of a file of `len` bytes that begins with these.
    ///
    /// # Errors
    /// When it is not a network: what it seems to be instead.
    pub fn of(bytes: &[u8], len: u64) -> Result<Format, String> {
        if bytes.is_empty() {
            return Err("the file is empty".into());
        }
        if let Some((_, message)) = FOREIGN.iter().find(|(start, _)| bytes.starts_with(start)) {
            return Err((*message).into());
        }
        if bytes.starts_with(b"PK") {
            return Ok(Format::TorchZip);
        }
        if bytes.starts_with(TORCH_LEGACY) {
            return Ok(Format::TorchLegacy);
        }
        if looks_like_safetensors(bytes, len) {
            return Ok(Format::Safetensors);
        }
        if is_onnx(bytes) {
            return Err("this is an ONNX file; style networks must be PyTorch .pth or .safetensors".into());
        }
        let text = bytes.iter().take(64).find(|b| !b.is_ascii_whitespace());
        if text == Some(&b'<') {
            return Err("this is a web page, not a network: the download went wrong".into());
        }
        if bytes.starts_with(b"\x80") || bytes.starts_with(b"(") || bytes.starts_with(b"c") {
            return Ok(Format::Pickle);
        }
        let start: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
        Err(format!("its first bytes ({}) match no known network format", start.join(" ")))
    }
}

/// Whether a file begins with a protocol buffer holding the ONNX version and the name of the writing program.
fn is_onnx(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=32, 0x12, length, name @ ..]
        if name.get(..usize::from(*length)).is_some_and(|name| name.iter().all(u8::is_ascii_graphic)))
}

/// A plausible header length, then JSON; or a header length beyond the file, which the reader then reports.
fn looks_like_safetensors(bytes: &[u8], len: u64) -> bool {
    bytes.len() > 8 && bytes[8] == b'{'
        || bytes.first_chunk::<8>().is_some_and(|n| {
            let length = u64::from_le_bytes(*n);
            length > 0 && length <= len.saturating_sub(8)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_bytes() {
        let of = |bytes: &[u8]| Format::of(bytes, bytes.len() as u64);
        assert_eq!(of(b"PK\x03\x04...."), Ok(Format::TorchZip));
        assert_eq!(of(b"\x80\x03}q\x00"), Ok(Format::Pickle));
        assert_eq!(of(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."), Ok(Format::TorchLegacy));
        assert_eq!(of(b"\x02\0\0\0\0\0\0\0{}"), Ok(Format::Safetensors));
        for (bytes, word) in [
            (&b""[..], "empty"),
            (b"<!DOCTYPE html>", "web page"),
            (b"\n <html>", "web page"),
            (b"version https://git-lfs.github.com/spec/v1", "LFS"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"\x89PNG\r\n", "PNG"),
            (b"\xde\xad\xbe\xef\xde\xad\xbe\xef\xde", "de ad be ef"),
        ] {
            let message = of(bytes).expect_err("not a network");
            assert!(message.contains(word), "{message}");
        }
    }
}
