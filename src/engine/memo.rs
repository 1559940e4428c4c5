//! What is remembered from one picture to the next, as bytes: written down, and given back exactly.
//!
//! Whatever remembers something describes it once, as a list of calls on a [`Memo`]; the same list writes and reads. The bytes
//! are for this version of the program only, and the caller keeps them from damage.

use super::EngineError;
use super::surface::Surface;

/// Why something cannot be written down or given back.
#[derive(Debug, thiserror::Error)]
pub enum MemoError {
    #[error("it ends too early")]
    Short,
    #[error("it is of another show: {what} is {found} there and {expected} here")]
    Other { what: &'static str, expected: String, found: String },
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Bytes that are being written, or read.
#[derive(Debug, Default)]
pub struct Memo {
    bytes: Vec<u8>,
    /// Where it reads; `None` when it writes.
    at: Option<usize>,
}

impl Memo {
    /// One that writes down.
    pub fn new() -> Memo {
        Memo::default()
    }

    /// One that gives back what another one wrote.
    pub fn of(bytes: Vec<u8>) -> Memo {
        Memo { bytes, at: Some(0) }
    }

    /// Whether it gives back.
    pub fn gives_back(&self) -> bool {
        self.at.is_some()
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// So many bytes of any kind.
    ///
    /// # Errors
    /// [`MemoError::Short`]
    fn raw(&mut self, bytes: &mut [u8]) -> Result<(), MemoError> {
        let Some(at) = self.at else {
            self.bytes.extend_from_slice(bytes);
            return Ok(());
        };
        let end = at.checked_add(bytes.len()).ok_or(MemoError::Short)?;
        bytes.copy_from_slice(self.bytes.get(at..end).ok_or(MemoError::Short)?);
        self.at = Some(end);
        Ok(())
    }

    /// # Errors
    /// [`MemoError::Short`]
    pub fn u64(&mut self, number: &mut u64) -> Result<(), MemoError> {
        let mut bytes = number.to_le_bytes();
        self.raw(&mut bytes)?;
        *number = u64::from_le_bytes(bytes);
        Ok(())
    }

    /// # Errors
    /// [`MemoError::Short`]
    pub fn u32(&mut self, number: &mut u32) -> Result<(), MemoError> {
        let mut bytes = number.to_le_bytes();
        self.raw(&mut bytes)?;
        *number = u32::from_le_bytes(bytes);
        Ok(())
    }

    /// # Errors
    /// [`MemoError::Short`]
    pub fn f64(&mut self, number: &mut f64) -> Result<(), MemoError> {
        let mut bits = number.to_bits();
        self.u64(&mut bits)?;
        *number = f64::from_bits(bits);
        Ok(())
    }

    /// # Errors
    /// [`MemoError::Short`]
    pub fn f32(&mut self, number: &mut f32) -> Result<(), MemoError> {
        let mut bits = number.to_bits();
        self.u32(&mut bits)?;
        *number = f32::from_bits(bits);
        Ok(())
    }

    /// # Errors
    /// [`MemoError::Short`]
    pub fn bool(&mut self, is: &mut bool) -> Result<(), MemoError> {
        let mut byte = [u8::from(*is)];
        self.raw(&mut byte)?;
        *is = byte[0] != 0;
        Ok(())
    }

    /// Something that has to be the same when it is given back.
    ///
    /// # Errors
    /// [`MemoError::Other`] if it is not.
    pub fn same<T: ToString + ?Sized>(&mut self, what: &'static str, here: &T) -> Result<(), MemoError> {
        let expected = here.to_string();
        let mut found = expected.clone().into_bytes();
        self.bytes(&mut found)?;
        let found = String::from_utf8_lossy(&found).into_owned();
        if found == expected { Ok(()) } else { Err(MemoError::Other { what, expected, found }) }
    }

    /// # Errors
    /// [`MemoError::Short`]
    pub fn bytes(&mut self, bytes: &mut Vec<u8>) -> Result<(), MemoError> {
        let mut count = bytes.len() as u64;
        self.u64(&mut count)?;
        if let Some(at) = self.at {
            let end = usize::try_from(count).ok().and_then(|count| at.checked_add(count)).ok_or(MemoError::Short)?;
            bytes.clear();
            bytes.extend_from_slice(self.bytes.get(at..end).ok_or(MemoError::Short)?);
            self.at = Some(end);
            return Ok(());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// A picture, which is in memory afterwards.
    ///
    /// # Errors
    /// When it is on a lost device, and [`MemoError::Short`].
    pub fn surface(&mut self, surface: &mut Surface) -> Result<(), MemoError> {
        let mut shape = if self.gives_back() { [0; 3] } else { surface.shape().map(|side| side as u32) };
        for side in &mut shape {
            self.u32(side)?;
        }
        let shape = shape.map(|side| side as usize);
        if self.gives_back() {
            let mut bytes = Vec::new();
            self.bytes(&mut bytes)?;
            let count = shape.iter().try_fold(4usize, |sum, side| sum.checked_mul(*side));
            if count != Some(bytes.len()) {
                return Err(MemoError::Short);
            }
            let numbers = surface.write(shape).data.iter_mut();
            numbers.zip(bytes.as_chunks::<4>().0).for_each(|(to, from)| *to = f32::from_le_bytes(*from));
        } else {
            let image = surface.bring()?;
            let mut bytes: Vec<u8> = image.data.iter().flat_map(|number| number.to_le_bytes()).collect();
            self.bytes(&mut bytes)?;
        }
        Ok(())
    }

    /// A picture that need not be there.
    ///
    /// # Errors
    /// As [`Memo::surface`].
    pub fn optional(&mut self, surface: &mut Option<Surface>) -> Result<(), MemoError> {
        let mut is_there = surface.is_some();
        self.bool(&mut is_there)?;
        if !is_there {
            *surface = None;
            return Ok(());
        }
        self.surface(surface.get_or_insert_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Image;

    /// All kinds, one after another.
    fn describe(memo: &mut Memo, numbers: &mut (u64, u32, f64, f32, bool), picture: &mut Option<Surface>) {
        memo.u64(&mut numbers.0).unwrap();
        memo.u32(&mut numbers.1).unwrap();
        memo.f64(&mut numbers.2).unwrap();
        memo.f32(&mut numbers.3).unwrap();
        memo.bool(&mut numbers.4).unwrap();
        memo.same("the name", "ripple").unwrap();
        memo.optional(picture).unwrap();
    }

    #[test]
    fn what_is_written_down_is_given_back() {
        let image = Image { channels: 1, height: 2, width: 2, data: vec![0.1, -0.0, f32::MIN_POSITIVE, 3e9] };
        let (mut numbers, mut picture) = ((u64::MAX, 7, -0.1, f32::NAN, true), Some(Surface::from(image.clone())));
        let mut memo = Memo::new();
        describe(&mut memo, &mut numbers, &mut picture);
        let bytes = memo.into_bytes();
        let (mut again, mut other) = ((0, 0, 0.0, 0.0, false), None);
        describe(&mut Memo::of(bytes.clone()), &mut again, &mut other);
        assert_eq!((again.0, again.1, again.2, again.4), (u64::MAX, 7, -0.1, true));
        assert_eq!(again.3.to_bits(), f32::NAN.to_bits());
        let found = other.expect("a picture").into_image();
        assert_eq!(
            found.data.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
            image.data.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        );
        let mut none = Memo::new();
        describe(&mut none, &mut numbers, &mut None);
        let mut there = Some(Surface::default());
        describe(&mut Memo::of(none.into_bytes()), &mut again, &mut there);
        assert!(there.is_none());
    }

    #[test]
    fn another_show_and_a_short_memo_are_named() {
        let mut memo = Memo::new();
        memo.same("the effect", "ripple").unwrap();
        let bytes = memo.into_bytes();
        let error = Memo::of(bytes.clone()).same("the effect", "bloom").unwrap_err().to_string();
        assert_eq!(error, "it is of another show: the effect is ripple there and bloom here");
        for length in 0..bytes.len() {
            let error = Memo::of(bytes[..length].to_vec()).same("the effect", "ripple").unwrap_err();
            assert!(matches!(error, MemoError::Short), "{length}: {error}");
        }
        let huge = u64::MAX.to_le_bytes().to_vec();
        assert!(matches!(Memo::of(huge).bytes(&mut Vec::new()), Err(MemoError::Short)));
    }
}
