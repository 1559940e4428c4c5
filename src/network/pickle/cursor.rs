//! A reading position in the bytes of a pickle.
//!
//! Declared lengths are not trusted: each is checked against the remaining bytes before anything is read, and nothing
//! is ever allocated from one.

use super::PickleError;

/// Longest line of protocol 0, in bytes: a name, a number or an escaped string.
const MAX_LINE: usize = 16 << 20;

/// Bytes and a read position.
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Cursor { bytes, at }
    }

    /// Offset of the next byte.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// [`PickleError::EndsEarly`] when fewer are left.
    pub fn take(&mut self, len: u64) -> Result<&'a [u8], PickleError> {
        let left = &self.bytes[self.at..];
        let taken = usize::try_from(len).ok().and_then(|len| left.get(..len)).ok_or(PickleError::EndsEarly {
            at: self.at,
            needed: len,
            left: left.len(),
        })?;
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64)?);
        Ok(out)
    }

    pub fn u8(&mut self) -> Result<u8, PickleError> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u16(&mut self) -> Result<u16, PickleError> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, PickleError> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn i32(&mut self) -> Result<i32, PickleError> {
        self.array().map(i32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, PickleError> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn f64_be(&mut self) -> Result<f64, PickleError> {
        self.array().map(f64::from_be_bytes)
    }

    /// The bytes up to the next line break, which is consumed but not returned.
    ///
    /// # Errors
    /// [`PickleError::EndsEarly`] when there is no line break.
    pub fn line(&mut self) -> Result<&'a [u8], PickleError> {
        let left = &self.bytes[self.at..];
        let len = left.iter().take(MAX_LINE).position(|&b| b == b'\n').ok_or(PickleError::EndsEarly {
            at: self.at,
            needed: left.len() as u64 + 1,
            left: left.len(),
        })?;
        self.at += len + 1;
        Ok(&left[..len])
    }

    /// A line as text.
    ///
    /// # Errors
    /// As [`Cursor::line`], and [`PickleError::Malformed`] when it is not UTF-8.
    pub fn text_line(&mut self) -> Result<&'a str, PickleError> {
        let at = self.at;
        utf8(self.line()?, at)
    }
}

/// `bytes` as text; `at` is their offset for the message.
pub fn utf8(bytes: &[u8], at: usize) -> Result<&str, PickleError> {
    std::str::from_utf8(bytes).map_err(|_| PickleError::Malformed { what: "text is not UTF-8", at })
}
