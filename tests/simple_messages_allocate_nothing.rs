//! Does a number allocate on its way from a device to its parameter? A counting allocator says no.

use std::sync::Arc;

#[path = "common/counting.rs"]
mod counting;

use counting::times_here as allocations;
use latent_jockey::control::lights::Lights;
use latent_jockey::control::mapping::Mapping;
use latent_jockey::control::midi::{Board, Port, Profiles};
use latent_jockey::control::osc::{self, Incoming};
use latent_jockey::control::{Counts, Event, QUEUE, midi, queue};
use latent_jockey::params::{Params, Table};

#[test]
fn simple_messages_allocate_nothing() {
    let mut params = Params::default();
    let mut mapping = Mapping::default();
    let mut writes = Vec::with_capacity(16);
    let (sender, events) = queue();
    let (received, board, mut lights) = (Arc::new(Counts::default()), Board::default(), Lights::default());
    let mut port = Port::new(0, sender, received.clone());
    let profiles = Profiles::shipped();
    let profile = profiles.of_port("APC40 mkII").expect("a profile");
    lights.set_profile(0, Some(profile));
    mapping.set_profile(0, Some(profile.entries()));
    let osc: [&[u8]; 4] = [
        b"/psi\0\0\0\0,f\0\0\x3f\x00\x00\x00",
        b"/latent-jockey/z/3\0\0,f\0\0\x3f\x00\x00\x00",
        b"/seed\0\0\0,i\0\0\x00\x00\x00\x07",
        b"#bundle\0\0\0\0\0\0\0\0\x01\0\0\0\x10/freeze\0,T\0\0\0\0\0\0",
    ];
    let mut play = |counts: &mut Vec<usize>| {
        for bytes in osc {
            counts.push(allocations(|| {
                osc::read(bytes, Table::built_in(), |part| {
                    if let Ok((_, Incoming::Write { target, value })) = part {
                        params.write(target, &value).unwrap();
                    }
                });
            }));
        }
        for i in 0..2 * QUEUE {
            // All kinds of messages, more than the queue holds.
            let bytes = [0x80 | (i * 7) as u8, i as u8 & 0x7f, (i >> 4) as u8 & 0x7f];
            counts.push(allocations(|| port.receive(i as u64, &bytes)));
        }
        while let Ok(Event::Midi(message)) = events.try_recv() {
            counts.push(allocations(|| {
                lights.heard(&message);
                lights.step(0.01, &params, &mapping, Some(1), &board);
            }));
        }
        for value in 0..128 {
            counts.push(allocations(|| {
                let message = midi::parse(&[0xb0, 17, value], 0, 0).unwrap();
                mapping.apply(&Event::Midi(message), &params, &mut writes);
                for write in writes.drain(..) {
                    params.write(write.target, &write.value).unwrap();
                }
            }));
        }
    };
    // The first round may build what is cached: the table of addresses.
    play(&mut Vec::new());
    let mut counts = Vec::with_capacity(64 * 1024);
    play(&mut counts);
    assert!(counts.iter().all(|&count| count == 0), "{counts:?}");
    assert!(Counts::read(&received.dropped) > 0, "the queue was full");
    assert!(allocations(|| drop(std::hint::black_box(vec![1]))) > 0, "the allocator counts");
}
