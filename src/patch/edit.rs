//! What an editor of live code needs to know about text: no window, no files in the frame.
//!
//! [`highlight`] splits code into coloured pieces, [`text`] finds the block, statement or number under the cursor,
//! [`complete`] offers names, and [`notes`] keeps results and errors at their lines while the text around them changes. All
//! of these are functions of text, in bytes, and tested as such. [`files`] reads and writes files on its own thread.

pub mod complete;
pub mod files;
pub mod highlight;
pub mod notes;
pub mod text;

pub use complete::Words;
pub use highlight::Language;

/// An address as it is written in code: `/walk/speed` is `walk.speed`, `/z/<n>` is `z[n]`, `/bend/1/layer` is
/// `bend[1].layer`, and a hyphen is an underscore.
pub fn dotted(address: &str) -> String {
    let mut name = String::new();
    for part in address.split('/').filter(|part| !part.is_empty()) {
        if part == "<n>" {
            name.push_str("[n]");
        } else if part.bytes().all(|b| b.is_ascii_digit()) {
            name.push_str(&format!("[{part}]"));
        } else {
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(&part.replace('-', "_"));
        }
    }
    name
}
