//! A range of bytes with a shared owner: a file, or a part of one that had to be decoded.
//!
//! Tensors stay ranges of the file until their numbers are needed, so looking into a network of 400 MB copies
//! nothing. A [`Bytes`] keeps its owner alive; cloning one copies a pointer. Used by all file readers.

use std::ops::Range;
use std::sync::Arc;

/// Reference-counted bytes: a range of a file or of a buffer.
#[derive(Clone)]
pub struct Bytes {
    owner: Arc<dyn AsRef<[u8]> + Send + Sync>,
    range: Range<usize>,
}

impl Bytes {
    /// All bytes of `owner`.
    pub fn new(owner: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        let len = owner.as_ref().len();
        Bytes { owner: Arc::new(owner), range: 0..len }
    }

    pub fn as_slice(&self) -> &[u8] {
        // The owner's length never changes, so the range stays valid.
        (*self.owner).as_ref().get(self.range.clone()).unwrap_or(&[])
    }

    /// The subrange `range`, counted from this range's first byte. `None` if it is out of bounds.
    pub fn slice(&self, range: Range<usize>) -> Option<Bytes> {
        let start = self.range.start.checked_add(range.start)?;
        let end = self.range.start.checked_add(range.end)?;
        (start <= end && end <= self.range.end).then(|| Bytes { owner: self.owner.clone(), range: start..end })
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.range.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_of_a_slice_counts_from_the_slice() {
        let bytes = Bytes::new(b"0123456789".to_vec()).slice(2..8).unwrap();
        assert_eq!(bytes.slice(1..3).unwrap().as_slice(), b"34");
        assert!(bytes.slice(1..7).is_none());
        assert!(bytes.slice(usize::MAX..usize::MAX).is_none());
    }
}
