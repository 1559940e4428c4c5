//! Spout: pictures for other programs on the same Windows machine, as a texture that both draw with.
//!
//! There is no library to it, only an agreement, here that of Spout 2.007 (`SpoutSenderNames.h`, `SpoutFrameCount.cpp`,
//! `SpoutDX.cpp`). Named pieces of memory hold a list of the senders, the one that receivers show first, and for each sender
//! where its texture is; a mutex keeps two programs from using a texture at once, and a semaphore counts its frames. What
//! lies in this memory is written and read here, on every system, so that it can be tested; the rest is `listing` and `sender`.

// Elsewhere than on Windows only the tests use it.
#![cfg_attr(not(windows), allow(dead_code, reason = "only Windows has Spout"))]

#[cfg(windows)]
mod listing;
#[cfg(windows)]
mod sender;

use std::collections::BTreeSet;

#[cfg(windows)]
pub(super) use sender::{Sender, available};

/// The memory with the list of senders, and how many it has room for by default.
const LIST: &str = "SpoutSenderNames";
const SENDERS: usize = 64;

/// The memory with the name of the sender that receivers show first.
const ACTIVE: &str = "ActiveSenderName";

/// Room for a name, with the zero at its end.
const NAME_BYTES: usize = 256;

/// Room for what is said about a sender.
const INFO_BYTES: usize = 280;

/// `DXGI_FORMAT_B8G8R8A8_UNORM`, which receivers of every age take.
const BGRA: u32 = 87;

/// The mutex of a piece of memory.
fn mutex_of(memory: &str) -> String {
    format!("{memory}_mutex")
}

/// The mutex of a sender's texture.
fn access_of(sender: &str) -> String {
    format!("{sender}_SpoutAccessMutex")
}

/// The semaphore that counts a sender's frames.
fn count_of(sender: &str) -> String {
    format!("{sender}_Count_Semaphore")
}

/// Names in the order of their bytes, as other programs keep them. They need not be UTF-8.
type Names = BTreeSet<Vec<u8>>;

/// The name in a field, up to its zero.
fn name_in(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    &field[..end]
}

/// The names in the list: fields of 256 bytes, up to an empty one.
fn read_names(list: &[u8]) -> Names {
    list.chunks_exact(NAME_BYTES).map(name_in).take_while(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
}

/// Writes the names into the list, as far as there is room, with an empty field behind them.
fn write_names(names: &Names, list: &mut [u8]) {
    let mut fields = list.chunks_exact_mut(NAME_BYTES);
    for (name, field) in names.iter().zip(&mut fields) {
        write_name(name, field);
    }
    if let Some(end) = fields.next() {
        end.fill(0);
    }
}

/// Writes a name and zeros behind it; what is too long is cut off.
fn write_name(name: &[u8], field: &mut [u8]) {
    let length = name.len().min(field.len().saturating_sub(1));
    field[..length].copy_from_slice(&name[..length]);
    field[length..].fill(0);
}

/// `wanted`, or if there is one of that name, `wanted_1` and so on.
fn free_name(names: &Names, wanted: &str) -> String {
    let numbered = (1..).map(|number| format!("{wanted}_{number}"));
    let is_free = |name: &String| !names.contains(name.as_bytes());
    std::iter::once(wanted.to_owned()).chain(numbered).find(is_free).unwrap_or_else(|| wanted.to_owned())
}

/// Which sender is shown first once `left` has gone: another one if it was that, or if there is only one.
fn next_active<'a>(names: &'a Names, active: &[u8], left: &str) -> Option<&'a [u8]> {
    let is_due = active == left.as_bytes() || names.len() == 1;
    names.first().filter(|_| is_due).map(Vec::as_slice)
}

/// What is said about a sender (`SharedTextureInfo`): the handle of its texture, which is 32 bits wide in every process, its
/// width and height, its format, and the program that sends.
fn info(handle: u32, [width, height]: [u32; 2], program: &[u8]) -> [u8; INFO_BYTES] {
    let mut bytes = [0; INFO_BYTES];
    // The last two are the usage, which nobody reads, and behind the program a number whose bits say how it sends: none for
    // a texture.
    for (word, field) in [handle, width, height, BGRA, 0].into_iter().zip(bytes.chunks_exact_mut(4)) {
        field.copy_from_slice(&word.to_le_bytes());
    }
    write_name(program, &mut bytes[20..20 + NAME_BYTES]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Names {
        all.iter().map(|name| name.as_bytes().to_vec()).collect()
    }

    #[test]
    fn the_list_is_fields_up_to_an_empty_one() {
        let mut list = vec![0xAA; 3 * NAME_BYTES];
        write_names(&names(&["zeta", "Alpha"]), &mut list);
        assert_eq!((&list[..6], &list[256..261], list[512]), (&b"Alpha\0"[..], &b"zeta\0"[..], 0));
        assert_eq!(read_names(&list), names(&["Alpha", "zeta"]));
        write_names(&names(&["b"]), &mut list);
        assert_eq!(read_names(&list), names(&["b"]), "what was behind it is gone");
        write_names(&names(&["a", "b", "c", "d"]), &mut list);
        assert_eq!(read_names(&list), names(&["a", "b", "c"]), "full");
        write_names(&names(&["x", &"y".repeat(300)]), &mut list);
        assert_eq!(read_names(&list), names(&["x", &"y".repeat(255)]));
        write_names(&Names::new(), &mut list);
        assert!(read_names(&list).is_empty() && read_names(&[]).is_empty());
        // Of another program, in the code page of its country.
        list[..5].copy_from_slice(b"B\xFChn\0");
        list[NAME_BYTES] = 0;
        assert_eq!(read_names(&list), Names::from([b"B\xFChn".to_vec()]));
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let there = names(&["Latent Jockey", "Latent Jockey_1", "x"]);
        assert_eq!(free_name(&there, "Latent Jockey"), "Latent Jockey_2");
        assert_eq!((free_name(&there, "x"), free_name(&there, "Stage")), ("x_1".to_owned(), "Stage".to_owned()));
    }

    #[test]
    fn receivers_are_led_to_another_sender_if_theirs_goes() {
        let left = names(&["a", "b"]);
        assert_eq!(next_active(&left, b"x", "x"), Some(&b"a"[..]));
        assert_eq!(next_active(&left, b"b", "x"), None);
        assert_eq!(next_active(&names(&["a"]), b"gone", "x"), Some(&b"a"[..]));
        assert_eq!(next_active(&Names::new(), b"x", "x"), None);
    }

    #[test]
    fn what_is_said_about_a_sender_has_280_bytes() {
        let bytes = info(0x8000_0C02, [1920, 1080], b"C:\\lj.exe");
        let word = |place: usize| u32::from_le_bytes(bytes[place..place + 4].try_into().unwrap());
        assert_eq!([0, 4, 8, 12, 16, 276].map(word), [0x8000_0C02, 1920, 1080, 87, 0, 0]);
        assert_eq!((name_in(&bytes[20..276]), bytes.len()), (&b"C:\\lj.exe"[..], 280));
        let long = info(1, [1, 1], &[b'x'; 400]);
        assert_eq!((long[20 + 254], long[20 + 255], long[276]), (b'x', 0, 0));
    }

    #[test]
    fn objects_are_called_as_receivers_look_for_them() {
        assert_eq!(mutex_of(LIST), "SpoutSenderNames_mutex");
        assert_eq!(access_of("Stage"), "Stage_SpoutAccessMutex");
        assert_eq!(count_of("Stage"), "Stage_Count_Semaphore");
    }
}
