//! The guard: splits a datagram into single messages; nothing else walks bundles.
//!
//! Bundles are walked with a fixed-size stack, so no datagram can overflow ours or make us allocate. Every message
//! stands alone: a bad one is refused, and its neighbours still arrive. Runs on the `osc` thread.

/// Maximum nesting of bundles.
pub const MAX_DEPTH: usize = 8;

/// The tag that means "at once".
pub const IMMEDIATELY: u64 = 1;

/// Why a datagram, or a part of it, was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("an empty datagram")]
    Empty,
    #[error("bytes that are not OSC")]
    NotOsc,
    #[error("bundles nested more than {MAX_DEPTH} deep")]
    TooDeep,
    #[error("a bundle whose parts do not fit into it")]
    BadSize,
    #[error("an address that is too long or has odd characters")]
    BadAddress,
    #[error("a message without type tags")]
    NoTags,
    #[error("a message that ends before its last argument")]
    Short,
    #[error("an argument of the unknown type '{0}'")]
    UnknownType(char),
    #[error("arrays nested too deep, or not closed")]
    Brackets,
    #[error("a number that is not finite")]
    NotFinite,
    #[error("a blob that is not a list of 32-bit floats")]
    Blob,
    #[error("a list with something other than numbers in it")]
    Mixed,
    #[error("a string longer than {} bytes", super::message::MAX_TEXT)]
    LongText,
    #[error("an invalid address pattern")]
    BadPattern,
    #[error("address patterns that match too many parameters at once")]
    WidePattern,
    #[error("a request without a valid address")]
    BadRequest,
    #[error("a reply port that is not a whole number from 1 to 65535")]
    BadPort,
    #[error("a signal takes a number")]
    NoNumber,
}

/// Calls `visit` with each message of the datagram in order, with the time tag of its bundle (seconds since 1900
/// in 32.32 fixed point; [`IMMEDIATELY`] outside bundles), and with each refusal.
pub fn each_message<'a>(datagram: &'a [u8], mut visit: impl FnMut(Result<(u64, &'a [u8]), Refusal>)) {
    if datagram.is_empty() {
        return visit(Err(Refusal::Empty));
    }
    // The unread rest of each open bundle, and its time tag. Level 0 is the datagram itself.
    let mut open: [(&[u8], u64); MAX_DEPTH + 1] = [(&[], IMMEDIATELY); MAX_DEPTH + 1];
    let mut depth = 0;
    let mut part = datagram;
    loop {
        if part.first() == Some(&b'#') {
            match bundle(part) {
                Ok(_) if depth == MAX_DEPTH => visit(Err(Refusal::TooDeep)),
                Ok(contents) => {
                    depth += 1;
                    open[depth] = contents;
                }
                Err(refusal) => visit(Err(refusal)),
            }
        } else {
            visit(Ok((open[depth].1, part)));
        }
        // The next part of the innermost bundle that has any left.
        loop {
            if depth == 0 {
                return;
            }
            let (rest, time_tag) = open[depth];
            if rest.is_empty() {
                depth -= 1;
                continue;
            }
            let Some((element, after)) = element(rest) else {
                visit(Err(Refusal::BadSize));
                depth -= 1;
                continue;
            };
            open[depth] = (after, time_tag);
            part = element;
            break;
        }
    }
}

/// A bundle's contents, and its time tag.
fn bundle(part: &[u8]) -> Result<(&[u8], u64), Refusal> {
    let after_name = part.strip_prefix(b"#bundle\0").ok_or(Refusal::NotOsc)?;
    let (tag, contents) = after_name.split_first_chunk::<8>().ok_or(Refusal::Short)?;
    Ok((contents, u64::from_be_bytes(*tag)))
}

/// The first element of a bundle's contents, and what comes after it.
fn element(contents: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = contents.split_first_chunk::<4>()?;
    let size = u32::from_be_bytes(*size) as usize;
    if size == 0 || !size.is_multiple_of(4) {
        return None;
    }
    rest.split_at_checked(size)
}

#[cfg(test)]
pub(super) mod test {
    use super::*;

    /// A bundle of ready-made parts.
    pub fn bundle_of(time_tag: u64, parts: &[&[u8]]) -> Vec<u8> {
        let mut out = b"#bundle\0".to_vec();
        out.extend(time_tag.to_be_bytes());
        for part in parts {
            out.extend((part.len() as u32).to_be_bytes());
            out.extend(*part);
        }
        out
    }

    fn nested(depth: usize) -> Vec<u8> {
        (0..depth).fold(b"/a\0\0,\0\0\0".to_vec(), |inner, _| bundle_of(1, &[&inner]))
    }

    fn seen(datagram: &[u8]) -> (usize, Vec<Refusal>) {
        let (mut good, mut bad) = (0, Vec::new());
        each_message(datagram, |part| match part {
            Ok(_) => good += 1,
            Err(refusal) => bad.push(refusal),
        });
        (good, bad)
    }

    #[test]
    fn bundles_are_walked_in_order_and_to_a_fixed_depth() {
        let inner = bundle_of(7, &[b"/b\0\0"]);
        let whole = bundle_of(5, &[b"/a\0\0", &inner, b"/c\0\0"]);
        let mut order = Vec::new();
        each_message(&whole, |part| order.push(part.unwrap()));
        assert_eq!(order, [(5, &b"/a\0\0"[..]), (7, b"/b\0\0"), (5, b"/c\0\0")]);

        assert_eq!(seen(&nested(8)), (1, vec![]));
        assert_eq!(seen(&nested(9)), (0, vec![Refusal::TooDeep]));
        assert_eq!(seen(&nested(2000)), (0, vec![Refusal::TooDeep]));
    }

    #[test]
    fn wrong_sizes_end_only_their_bundle() {
        for lie in [0u32, 3, 5, 0xFFFF_FFFF, 1000] {
            let mut broken = bundle_of(1, &[b"/a\0\0"]);
            broken.extend(lie.to_be_bytes());
            broken.extend([0; 8]);
            assert_eq!(seen(&broken), (1, vec![Refusal::BadSize]), "size {lie}");
            assert_eq!(seen(&bundle_of(1, &[&broken, b"/c\0\0"])), (2, vec![Refusal::BadSize]), "size {lie}");
        }
    }

    #[test]
    fn truncated_bundles_are_refused() {
        assert_eq!(seen(b""), (0, vec![Refusal::Empty]));
        for len in 1..16 {
            assert_eq!(seen(&bundle_of(1, &[])[..len]).0, 0, "{len} bytes");
            assert_eq!(seen(&bundle_of(1, &[])[..len]).1.len(), 1, "{len} bytes");
        }
        assert_eq!(seen(&bundle_of(1, &[])), (0, vec![]));
    }
}
