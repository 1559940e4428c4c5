//! Splits the bytes that a port delivers into messages.
//!
//! JACK and CoreMIDI may deliver several messages at once, one in pieces, or messages without a status byte because it is
//! the same as the previous one ("running status", MIDI 1.0). Pure; it neither waits nor allocates.

/// One per port: keeps the status byte, and the start of an unfinished message.
#[derive(Clone, Debug, Default)]
pub struct Splitter {
    /// The status that data bytes belong to; 0 for none.
    status: u8,
    data: [u8; 2],
    count: usize,
}

impl Splitter {
    /// Calls `each` with every complete message. SysEx and invalid bytes are skipped.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        for &byte in bytes {
            match byte {
                // May occur in the middle of any other message.
                0xf8.. => each(&[byte]),
                0xf6 => {
                    self.status = 0;
                    each(&[byte]);
                }
                0x80.. => (self.status, self.count) = (if data_bytes(byte) > 0 { byte } else { 0 }, 0),
                _ if self.status == 0 => {}
                _ => self.data(byte, &mut each),
            }
        }
    }

    fn data(&mut self, byte: u8, each: &mut impl FnMut(&[u8])) {
        self.data[self.count] = byte;
        self.count += 1;
        if self.count == data_bytes(self.status) {
            match self.count {
                1 => each(&[self.status, self.data[0]]),
                _ => each(&[self.status, self.data[0], self.data[1]]),
            }
            self.count = 0;
            // Only channel messages allow running status.
            if self.status >= 0xf0 {
                self.status = 0;
            }
        }
    }
}

/// How many data bytes follow a status byte: 0 for SysEx and undefined ones.
fn data_bytes(status: u8) -> usize {
    match status {
        0xc0..=0xdf | 0xf1 | 0xf3 => 1,
        0x80..=0xef | 0xf2 => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod test {
    use super::*;

    /// The messages, in hexadecimal, when bytes arrive event by event.
    fn split(events: &[&[u8]]) -> String {
        let (mut splitter, mut messages) = (Splitter::default(), Vec::new());
        for event in events {
            splitter.feed(event, |message| {
                messages.push(message.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "));
            });
        }
        messages.join(", ")
    }

    #[test]
    fn events_become_messages() {
        let table: &[(&str, &[&[u8]], &str)] = &[
            ("one", &[&[0x90, 60, 100]], "90 3c 64"),
            ("three at once", &[&[0x90, 60, 100, 0xc0, 5, 0xb1, 7, 9]], "90 3c 64, c0 05, b1 07 09"),
            ("running status", &[&[0xb0, 16, 1, 16, 2, 17, 3]], "b0 10 01, b0 10 02, b0 11 03"),
            ("running status of one data byte", &[&[0xd0, 1, 2, 3]], "d0 01, d0 02, d0 03"),
            ("over events", &[&[0xb0, 16, 1], &[16, 2]], "b0 10 01, b0 10 02"),
            ("in pieces", &[&[0x90], &[60], &[100]], "90 3c 64"),
            ("a clock between", &[&[0x90, 60, 0xf8, 100]], "f8, 90 3c 64"),
            ("a clock does not end running status", &[&[0x90, 60, 100, 0xfa, 61, 100]], "90 3c 64, fa, 90 3d 64"),
            ("SysEx before", &[&[0xf0, 0x7e, 1, 2, 0xf7, 0x90, 60, 100]], "90 3c 64"),
            ("SysEx between", &[&[0x90, 60, 100, 0xf0, 1, 0xf7, 61, 100]], "90 3c 64"),
            ("SysEx in pieces with a clock", &[&[0xf0, 1], &[2, 0xf8, 3], &[4, 0xf7, 0x80, 1, 2]], "f8, 80 01 02"),
            ("SysEx without an end", &[&[0xf0, 1, 2, 0xb0, 7, 9]], "b0 07 09"),
            ("song position", &[&[0xf2, 1, 2, 3, 4]], "f2 01 02"),
            ("tune request", &[&[0x90, 60, 0xf6, 100, 0x90, 1, 2]], "f6, 90 01 02"),
            ("cut off", &[&[0x90, 60], &[0xb0, 7, 9]], "b0 07 09"),
            ("data alone", &[&[1, 2, 3]], ""),
            ("undefined", &[&[0xf4, 1, 0xf5, 2, 0xf7, 3]], ""),
            ("nothing", &[&[]], ""),
        ];
        for (what, events, expected) in table {
            assert_eq!(split(events), *expected, "{what}");
        }
    }

    #[test]
    fn every_message_has_the_length_of_its_status() {
        let mut rng = crate::control::test_rng(9);
        let (mut splitter, mut count) = (Splitter::default(), 0);
        for _ in 0..20_000 {
            let event: Vec<u8> = (0..rng() % 9).map(|_| rng() as u8).collect();
            splitter.feed(&event, |message| {
                count += 1;
                assert!(message[0] >= 0x80 && message[1..].iter().all(|&byte| byte < 0x80), "{message:x?}");
                assert!(message[0] >= 0xf6 || message.len() == 1 + data_bytes(message[0]), "{message:x?}");
            });
        }
        assert!(count > 10_000);
    }
}
