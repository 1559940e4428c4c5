//! Small pictures of presets, styles, networks and seeds over HTTP: `/thumb/preset/NAME`, `/thumb/style/NETWORK/N`,
//! `/thumb/network/NAME`, `/thumb/seed/NETWORK/N`. Runs on the thread `query` and waits for nothing: a picture that is not
//! there yet is asked for, and the answer says when to ask again.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{self, HeaderValue};

use super::http::{Answer, is_known, plain, respond};

/// How their paths begin.
pub const PATH: &str = "/thumb/";

/// A small picture that a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thumb {
    Ready {
        jpeg: Arc<[u8]>,
        /// Hexadecimal digits that change with the picture.
        tag: Arc<str>,
    },
    /// It is being made.
    Coming,
    /// There is no such thing.
    Absent,
}

/// Who has the pictures.
pub trait Thumbs: Send + Sync {
    /// The picture of `preset/NAME` and so on, decoded; names only, never paths. Does not wait.
    fn thumb(&self, address: &str) -> Thumb;
}

/// The answer for what follows [`PATH`].
pub fn answer(thumbs: Option<&dyn Thumbs>, address: &str, known: Option<&str>) -> Answer {
    let (jpeg, tag) = match thumbs.map_or(Thumb::Absent, |thumbs| thumbs.thumb(address)) {
        Thumb::Ready { jpeg, tag } => (jpeg, format!("\"{tag}\"")),
        Thumb::Coming => {
            let mut answer = plain(StatusCode::NOT_FOUND, "it is being made");
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            return answer;
        }
        Thumb::Absent => return plain(StatusCode::NOT_FOUND, "there is no picture of this"),
    };
    let mut answer = match is_known(known, &tag) {
        true => respond(StatusCode::NOT_MODIFIED, "image/jpeg", ""),
        false => respond(StatusCode::OK, "image/jpeg", jpeg.to_vec()),
    };
    let headers = answer.headers_mut();
    // Kept, but compared each time: a preset may have been saved.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One;

    impl Thumbs for One {
        fn thumb(&self, address: &str) -> Thumb {
            match address {
                "preset/a b" => Thumb::Ready { jpeg: b"jpeg"[..].into(), tag: "1f".into() },
                "preset/new" => Thumb::Coming,
                _ => Thumb::Absent,
            }
        }
    }

    #[test]
    fn a_picture_has_a_tag_and_a_missing_one_a_time() {
        let status = |answer: &Answer| answer.status().as_u16();
        let header = |answer: &Answer, name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let ask = |address: &str, known: Option<&str>| answer(Some(&One), address, known);
        let there = ask("preset/a b", None);
        assert_eq!((status(&there), header(&there, header::ETAG)), (200, Some("\"1f\"".to_owned())));
        assert_eq!(header(&there, header::CONTENT_TYPE).as_deref(), Some("image/jpeg"));
        assert_eq!(header(&there, header::CACHE_CONTROL).as_deref(), Some("private, no-cache"));
        for (known, expected) in [("\"1f\"", 304), ("\"1\"", 200)] {
            assert_eq!(status(&ask("preset/a b", Some(known))), expected, "{known}");
        }
        let coming = ask("preset/new", Some("\"1f\""));
        assert_eq!((status(&coming), header(&coming, header::RETRY_AFTER).as_deref()), (404, Some("1")));
        for absent in [ask("preset/x", None), answer(None, "preset/a b", None)] {
            assert_eq!((status(&absent), header(&absent, header::RETRY_AFTER)), (404, None));
        }
    }
}
