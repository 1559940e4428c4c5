//! Files of text, as editors write them: UTF-8, or UTF-16 with a byte order mark. Text in any other encoding is refused,
//! because guessing it wrong would spoil the file when it is saved.

use std::io;
use std::path::Path;

use super::sources;

/// Maximum size of a text file, in bytes.
const MOST_BYTES: u64 = 16 << 20;

/// Why a file's text cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    #[error(transparent)]
    Read(#[from] io::Error),
    #[error(transparent)]
    Encoding(#[from] NotText),
}

/// Where a file is not text, both counted from 1, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct NotText {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// Reads a text file.
///
/// # Errors
/// When it cannot be read, or is in another encoding.
pub fn read(path: &Path) -> Result<String, TextError> {
    let text = match sources::text(path) {
        Some(text) => text.to_string(),
        None => decode(super::read(path, MOST_BYTES)?)?,
    };
    sources::note_text(path, &text);
    Ok(text)
}

/// The text of these bytes, without a byte order mark.
///
/// # Errors
/// When they are neither UTF-8, nor UTF-16 with a byte order mark.
pub fn decode(bytes: Vec<u8>) -> Result<String, NotText> {
    let wide = |unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].as_chunks::<2>().0.iter().map(|pair| unit(*pair)).collect();
        let message = "the file is broken UTF-16; save it as UTF-8".to_owned();
        String::from_utf16(&units).map_err(|_| NotText { line: 1, column: 1, message })
    };
    match *bytes.as_slice() {
        [0xff, 0xfe, ..] => return wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => return wide(u16::from_be_bytes),
        _ => {}
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => {
            let message = "the file is not text, or UTF-16 without a byte order mark; save it as UTF-8".to_owned();
            Err(NotText { line: 1, column: 1, message })
        }
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
        Err(error) => {
            let (bytes, at) = (error.as_bytes(), error.utf8_error().valid_up_to());
            // Valid up to there.
            let before = String::from_utf8_lossy(&bytes[..at]);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            let message = format!("the byte {:#04x} is not UTF-8 (Latin-1?); save the file as UTF-8", bytes[at]);
            Err(NotText { line, column, message })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_editors_save_them() {
        let text = "# Dämmerung\n\"/psi\" = 0.5 # ∿\n";
        let wide = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
            mark.into_iter().chain(text.encode_utf16().flat_map(bytes)).collect::<Vec<u8>>()
        };
        let marked = ["\u{feff}", text].concat();
        for bytes in [
            text.as_bytes().to_vec(),
            marked.into_bytes(),
            wide([0xff, 0xfe], u16::to_le_bytes),
            wide([0xfe, 0xff], u16::to_be_bytes),
        ] {
            assert_eq!(decode(bytes).as_deref(), Ok(text));
        }
    }

    #[test]
    fn other_encodings_are_refused_at_their_place() {
        let error = decode(b"a = 1\n# D\xe4mmerung\n".to_vec()).unwrap_err();
        assert_eq!((error.line, error.column), (2, 4));
        assert!(error.message.contains("0xe4") && error.message.contains("save the file as UTF-8"), "{error}");
        for bytes in [&b"a\0 \0=\0"[..], b"\xff\xfe\x00\xd8"] {
            let error = decode(bytes.to_vec()).unwrap_err();
            assert!(error.message.ends_with("save it as UTF-8"), "{error}");
        }
    }
}
