//! Parameter numbers: which NRPN or RPN the data controllers refer to.
//!
//! A sender selects a number with two controllers and then sends its value with two others, or steps it up and
//! down; the number stays selected until the next one (MIDI 1.0, "Registered and Non-Registered Parameters").

use std::collections::HashMap;

use crate::control::midi::{Data, Kind, Message};

/// Number 127/127: nothing is selected.
const NONE: u8 = 127;

#[derive(Clone, Copy, Debug)]
struct Chosen {
    registered: bool,
    high: u8,
    low: u8,
}

/// The selected number of each port and channel.
#[derive(Clone, Debug, Default)]
pub(in crate::control) struct Numbers(HashMap<(u8, u8), Chosen>);

impl Numbers {
    /// The message as one about a parameter number, if it is a data controller and a number is selected.
    pub fn read(&mut self, message: &Message) -> Option<Message> {
        let Kind::ControlChange { controller, value } = message.kind else { return None };
        let data = match controller {
            98..=101 => {
                self.choose(message, controller, value);
                return None;
            }
            6 => Data::High(value),
            38 => Data::Low(value),
            96 => Data::Step(1),
            97 => Data::Step(-1),
            _ => return None,
        };
        let chosen = self.0.get(&(message.port, message.channel)).filter(|c| (c.high, c.low) != (NONE, NONE))?;
        let number = u16::from(chosen.high) << 7 | u16::from(chosen.low);
        Some(Message { kind: Kind::Nrpn { registered: chosen.registered, number, data }, ..*message })
    }

    /// The controller at `port` is gone: nothing is chosen there.
    pub fn forget(&mut self, port: u8) {
        self.0.retain(|&(chosen, _), _| chosen != port);
    }

    fn choose(&mut self, message: &Message, controller: u8, value: u8) {
        let registered = controller >= 100;
        let none = Chosen { registered, high: NONE, low: NONE };
        let chosen = self.0.entry((message.port, message.channel)).or_insert(none);
        if chosen.registered != registered {
            *chosen = none;
        }
        *(if controller % 2 == 1 { &mut chosen.high } else { &mut chosen.low }) = value;
    }
}
