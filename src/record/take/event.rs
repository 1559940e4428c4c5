//! Events as JSON arrays, short enough to write by hand.
//!
//! Writing allocates nothing once the buffer is large enough. Numbers that are 32-bit floats, as almost all are that come
//! over OSC, are written with the digits that these need; other floats stand in quotes with all of theirs, so that a take
//! gives exactly what was played.

use std::io::Write as _;

use serde_json::Value as Json;

use crate::control::keys::Key;
use crate::control::midi::{Data, Kind, Message};
use crate::control::session::Session;
use crate::control::timecode::{self, Carrier, Motion, Stamp, Timecode};
use crate::control::{Event, Source, Write};
use crate::modulate::SignalId;
use crate::params::{Choice, Id, Table, Value};

const SOURCES: [(Source, &str); 7] = [
    (Source::Osc, "osc"),
    (Source::Web, "web"),
    (Source::LocalWeb, "local-web"),
    (Source::Midi, "midi"),
    (Source::Key, "key"),
    (Source::Preset, "preset"),
    (Source::Script, "script"),
];

/// Addresses that act on files and programs beside the show: a take that is played again must not repeat them.
const BESIDE: [&str; 5] = ["/take/", "/record/", "/snapshot", "/stream", "/share"];

/// Whether a parameter acts on files and programs beside the show.
pub fn is_beside(id: Id) -> bool {
    BESIDE.iter().any(|prefix| id.def().address.starts_with(prefix))
}

/// Whether an event belongs into a take: it can change what is seen.
pub fn is_played(event: &Event) -> bool {
    match event {
        Event::Write(write) => !is_beside(write.target.id),
        Event::Notice(_) | Event::Fault { .. } | Event::Mended { .. } => false,
        _ => true,
    }
}

/// A float as JSON: `0.7` for one of 32 bits, `"0.1"` for one of 64.
pub fn write_float(x: f64, out: &mut Vec<u8>) {
    let narrow = x as f32;
    // Writing to memory cannot fail.
    let _ = if x.is_finite() && f64::from(narrow) == x { write!(out, "{narrow:?}") } else { write!(out, "\"{x:?}\"") };
}

/// As [`write_float`] wrote it.
pub fn read_float(json: &Json) -> Option<f64> {
    match json {
        Json::String(digits) => digits.parse().ok(),
        number => number.as_f64().map(|x| f64::from(x as f32)),
    }
}

/// A string as JSON.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Float(x) if x.is_finite() && f64::from(*x as f32) == *x => write_float(*x, out),
        Value::Float(x) => {
            out.extend_from_slice(b"{\"float\":");
            write_float(*x, out);
            out.push(b'}');
        }
        Value::Travel(x) => {
            out.extend_from_slice(b"{\"travel\":");
            write_float(*x, out);
            out.push(b'}');
        }
        Value::Int(i) => drop(write!(out, "{i}")),
        Value::Bool(b) => drop(write!(out, "{b}")),
        Value::Text(text) => write_text(text, out),
        Value::List(list) => {
            out.push(b'[');
            for (i, x) in list.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_float(f64::from(*x), out);
            }
            out.push(b']');
        }
        Value::Nothing => out.extend_from_slice(b"null"),
    }
}

fn read_value(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Nothing,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(number) => match number.as_i64() {
            Some(i) => Value::Int(i),
            None => Value::Float(read_float(json)?),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(list) => {
            Value::List(list.iter().map(|x| read_float(x).map(|x| x as f32)).collect::<Option<Vec<f32>>>()?)
        }
        Json::Object(object) => match (object.get("float"), object.get("travel")) {
            (Some(x), _) => Value::Float(read_float(x)?),
            (_, Some(x)) => Value::Travel(read_float(x)?),
            _ => return None,
        },
    })
}

fn write_source(source: Source, value: &Value, out: &mut Vec<u8>) {
    let is_osc = source == Source::Osc;
    if !is_osc || *value != Value::Nothing {
        out.push(b',');
        write_value(value, out);
    }
    if let Some((_, word)) = SOURCES.iter().find(|(known, _)| *known == source).filter(|_| !is_osc) {
        let _ = write!(out, ",\"{word}\"");
    }
}

fn read_source(json: Option<&Json>) -> Option<Source> {
    let Some(json) = json else { return Some(Source::Osc) };
    let word = json.as_str()?;
    SOURCES.iter().find(|(_, known)| *known == word).map(|(source, _)| *source)
}

/// Appends an event, for which [`is_played`] holds.
pub fn write(event: &Event, out: &mut Vec<u8>) {
    match event {
        Event::Write(Write { target, value, source }) => {
            let _ = write!(out, "[\"{target}\"");
            write_source(*source, value, out);
            out.push(b']');
        }
        Event::Unknown { address, value, source } => {
            out.extend_from_slice(b"[\"?\",");
            write_text(address, out);
            write_source(*source, value, out);
            out.push(b']');
        }
        Event::Signal { id, value } => {
            let _ = write!(out, "[\"{}\",", id.name());
            write_float(*value, out);
            out.push(b']');
        }
        Event::Key(key) => {
            out.extend_from_slice(b"[\"key\",");
            let mut name = [0; 4];
            match key {
                Key::Char(c) => write_text(c.encode_utf8(&mut name), out),
                Key::Ctrl(_) | Key::CtrlShift(_) => write_text(&key.to_string(), out),
                named => drop(write!(out, "\"{named}\"")),
            }
            out.push(b']');
        }
        Event::MidiPort { port, name, open } => {
            let _ = write!(out, "[\"port\",{port},");
            write_text(name, out);
            let _ = write!(out, ",{open}]");
        }
        Event::Session(Session { bpm, beat, peers, is_playing }) => {
            out.extend_from_slice(b"[\"session\",");
            write_float(*bpm, out);
            out.push(b',');
            write_float(*beat, out);
            let _ = write!(out, ",{peers},{is_playing}]");
        }
        Event::Timecode(Stamp { carrier, code, motion }) => {
            let (carrier, motion, rate) = (carrier.word(), motion.word(), code.rate());
            let _ =
                write!(out, "[\"timecode\",\"{carrier}\",\"{code}\",\"{}\",\"{motion}\"]", timecode::rate_word(rate));
        }
        Event::Midi(Message { port, channel, kind, at_us }) => {
            let _ = write!(out, "[\"midi\",{port},{channel},{at_us},");
            let _ = match *kind {
                Kind::NoteOn { note, velocity } => write!(out, "\"on\",{note},{velocity}]"),
                Kind::NoteOff { note } => write!(out, "\"off\",{note}]"),
                Kind::ControlChange { controller, value } => write!(out, "\"cc\",{controller},{value}]"),
                Kind::ProgramChange { program } => write!(out, "\"program\",{program}]"),
                Kind::ChannelPressure { pressure } => write!(out, "\"pressure\",{pressure}]"),
                Kind::PolyPressure { note, pressure } => write!(out, "\"poly\",{note},{pressure}]"),
                Kind::PitchBend { bend } => {
                    out.extend_from_slice(b"\"bend\",");
                    write_float(bend, out);
                    write!(out, "]")
                }
                Kind::Clock => write!(out, "\"clock\"]"),
                Kind::Start => write!(out, "\"start\"]"),
                Kind::Continue => write!(out, "\"continue\"]"),
                Kind::Stop => write!(out, "\"stop\"]"),
                Kind::SongPosition { sixteenths } => write!(out, "\"song\",{sixteenths}]"),
                Kind::Nrpn { registered, number, data } => {
                    let (word, value) = match data {
                        Data::High(high) => ("high", i32::from(high)),
                        Data::Low(low) => ("low", i32::from(low)),
                        Data::Step(step) => ("step", i32::from(step)),
                    };
                    write!(out, "\"nrpn\",{registered},{number},\"{word}\",{value}]")
                }
            };
        }
        Event::Notice(_) | Event::Fault { .. } | Event::Mended { .. } => {}
    }
}

fn byte(json: Option<&Json>) -> Option<u8> {
    json?.as_u64()?.try_into().ok()
}

fn read_midi(parts: &[Json]) -> Option<Message> {
    let at = |i: usize| byte(parts.get(4 + i));
    let kind = match parts.get(3)?.as_str()? {
        "on" => Kind::NoteOn { note: at(0)?, velocity: at(1)? },
        "off" => Kind::NoteOff { note: at(0)? },
        "cc" => Kind::ControlChange { controller: at(0)?, value: at(1)? },
        "program" => Kind::ProgramChange { program: at(0)? },
        "pressure" => Kind::ChannelPressure { pressure: at(0)? },
        "poly" => Kind::PolyPressure { note: at(0)?, pressure: at(1)? },
        "bend" => Kind::PitchBend { bend: read_float(parts.get(4)?)? },
        "clock" => Kind::Clock,
        "start" => Kind::Start,
        "continue" => Kind::Continue,
        "stop" => Kind::Stop,
        "song" => Kind::SongPosition { sixteenths: parts.get(4)?.as_u64()?.try_into().ok()? },
        "nrpn" => {
            let value = parts.get(7)?.as_i64()?;
            let data = match parts.get(6)?.as_str()? {
                "high" => Data::High(value.try_into().ok()?),
                "low" => Data::Low(value.try_into().ok()?),
                "step" => Data::Step(value.try_into().ok()?),
                _ => return None,
            };
            let number = parts.get(5)?.as_u64()?.try_into().ok()?;
            Kind::Nrpn { registered: parts.get(4)?.as_bool()?, number, data }
        }
        _ => return None,
    };
    Some(Message { port: byte(parts.first())?, channel: byte(parts.get(1))?, kind, at_us: parts.get(2)?.as_u64()? })
}

fn read_session(parts: &[Json]) -> Option<Session> {
    Some(Session {
        bpm: read_float(parts.first()?)?,
        beat: read_float(parts.get(1)?)?,
        peers: parts.get(2)?.as_u64()?.try_into().ok()?,
        is_playing: parts.get(3)?.as_bool()?,
    })
}

fn read_timecode(parts: &[Json]) -> Option<Stamp> {
    let word = |i: usize| parts.get(i)?.as_str();
    Some(Stamp {
        carrier: Carrier::from_word(word(0)?)?,
        code: Timecode::parse(word(1)?, timecode::rate_of(word(2)?)?).ok()?,
        motion: Motion::from_word(word(3)?)?,
    })
}

/// The event that an array stands for; addresses are those of `table`, which changes while a show plays. `None` if there is
/// no such event, or no such address any more.
pub fn read(json: &Json, table: &Table) -> Option<Event> {
    let parts = json.as_array()?;
    let value = |i: usize| parts.get(i).map_or(Some(Value::Nothing), read_value);
    match parts.first()?.as_str()? {
        "key" => Key::from_name(parts.get(1)?.as_str()?).map(Event::Key),
        "midi" => read_midi(&parts[1..]).map(Event::Midi),
        "session" => read_session(&parts[1..]).map(Event::Session),
        "timecode" => read_timecode(&parts[1..]).map(Event::Timecode),
        "port" => Some(Event::MidiPort {
            port: byte(parts.get(1))?,
            name: parts.get(2)?.as_str()?.to_owned(),
            open: parts.get(3)?.as_bool()?,
        }),
        "?" => Some(Event::Unknown {
            address: parts.get(1)?.as_str()?.to_owned(),
            value: value(2)?,
            source: read_source(parts.get(3))?,
        }),
        address if address.starts_with('/') => {
            let (target, value, source) = (table.resolve(address)?, value(1)?, read_source(parts.get(2))?);
            Some(Event::Write(Write { target, value, source }))
        }
        signal => Some(Event::Signal { id: SignalId::intern(signal)?, value: read_float(parts.get(1)?)? }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::midi;
    use crate::params::Target;

    fn written(event: &Event) -> String {
        let mut out = Vec::new();
        write(event, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn events_come_back_as_they_were() {
        let put = |target: Target, value, source| Event::Write(Write { target, value, source });
        let osc = |value| put(Id::Psi.into(), value, Source::Osc);
        let midi = |bytes: &[u8]| Event::Midi(midi::parse(bytes, 3, 1_234_567_890_123).unwrap());
        let table: Vec<(Event, &str)> = vec![
            (osc(Value::Float(f64::from(0.7f32))), r#"["/psi",0.7]"#),
            (osc(Value::Float(0.7)), r#"["/psi",{"float":"0.7"}]"#),
            (osc(Value::Float(3.0)), r#"["/psi",3.0]"#),
            (osc(Value::Int(3)), r#"["/psi",3]"#),
            (osc(Value::Float(1.0 / 3.0)), r#"["/psi",{"float":"0.3333333333333333"}]"#),
            (osc(Value::Float(f64::INFINITY)), r#"["/psi",{"float":"inf"}]"#),
            (osc(Value::Bool(true)), r#"["/psi",true]"#),
            (osc(Value::Nothing), r#"["/psi"]"#),
            (osc(Value::Travel(0.5)), r#"["/psi",{"travel":0.5}]"#),
            (osc(Value::Text("a \"b\"\n".into())), r#"["/psi","a \"b\"\n"]"#),
            (osc(Value::List(vec![1.0, -0.25])), r#"["/psi",[1.0,-0.25]]"#),
            (put(Target { id: Id::Z, index: 3 }, Value::Nothing, Source::Web), r#"["/z/3",null,"web"]"#),
            (put(Id::SeedNext.into(), Value::Nothing, Source::Key), r#"["/seed/next",null,"key"]"#),
            (Event::Key(Key::Char('"')), r#"["key","\""]"#),
            (Event::Key(Key::Left), r#"["key","Left"]"#),
            (Event::Key(Key::Function(5)), r#"["key","F5"]"#),
            (Event::Key(Key::Ctrl('"')), r#"["key","Ctrl \""]"#),
            (
                Event::Unknown { address: "/1/x".into(), value: Value::Float(1.0), source: Source::Osc },
                r#"["?","/1/x",1.0]"#,
            ),
            (
                Event::Signal { id: SignalId::intern("take-test.kick").unwrap(), value: 0.1 },
                r#"["take-test.kick","0.1"]"#,
            ),
            (Event::MidiPort { port: 1, name: "a".into(), open: true }, r#"["port",1,"a",true]"#),
            (
                Event::Session(Session { bpm: 120.5, beat: 3.1, peers: 2, is_playing: true }),
                r#"["session",120.5,"3.1",2,true]"#,
            ),
            (
                Event::Timecode(Stamp {
                    carrier: Carrier::Mtc,
                    code: Timecode::parse("01:02:03;04", timecode::FrameRate::FPS_29_97_DF).unwrap(),
                    motion: Motion::Forward,
                }),
                r#"["timecode","mtc","01:02:03;04","29.97df","forward"]"#,
            ),
            (midi(&[0xb2, 21, 64]), r#"["midi",3,2,1234567890123,"cc",21,64]"#),
        ];
        for (event, expected) in &table {
            assert_eq!(written(event), *expected);
            let json = serde_json::from_str(expected).unwrap();
            assert_eq!(read(&json, Table::built_in()).as_ref(), Some(event), "{expected}");
        }
        for bytes in [
            &[0x90, 60, 100][..],
            &[0x80, 60, 0],
            &[0xc4, 12],
            &[0xd3, 9],
            &[0xa2, 60, 7],
            &[0xe0, 5, 7],
            &[0xe0, 127, 127],
            &[0xf2, 1, 2],
            &[0xf8],
            &[0xfa],
            &[0xfb],
            &[0xfc],
        ] {
            let json = serde_json::from_str(&written(&midi(bytes))).unwrap();
            assert_eq!(read(&json, Table::built_in()), Some(midi(bytes)));
        }
        for data in [Data::High(1), Data::Low(2), Data::Step(-1)] {
            let kind = Kind::Nrpn { registered: true, number: 300, data };
            let event = Event::Midi(Message { port: 0, channel: 1, kind, at_us: 5 });
            let json = serde_json::from_str(&written(&event)).unwrap();
            assert_eq!(read(&json, Table::built_in()), Some(event));
        }
    }

    #[test]
    fn nonsense_is_no_event() {
        for wrong in [r#"["/no/such"]"#, r#"["key","NoKey"]"#, "[]", "3", r#"["midi",1]"#, r#"["a.b"]"#] {
            assert_eq!(read(&serde_json::from_str(wrong).unwrap(), Table::built_in()), None, "{wrong}");
        }
    }

    #[test]
    fn what_acts_on_files_beside_the_show_stays_out() {
        assert!(!is_played(&Event::Notice("a line".into())));
        assert!(!is_played(&Event::Fault { of: "midi".into(), line: "a line".into() }));
        assert!(is_played(&Event::Key(Key::Space)));
        let take = Write { target: Id::TakeStart.into(), value: Value::Nothing, source: Source::Key };
        assert!(!is_played(&Event::Write(take)));
    }

    /// Floats of all sizes, written and read through the JSON parser.
    #[test]
    fn floats_are_exact() {
        let mut rng = crate::control::test_rng(7);
        for _ in 0..200_000 {
            let narrow = f32::from_bits(rng() as u32);
            let wide = f64::from_bits(rng() << 16 ^ rng());
            for x in [f64::from(narrow), wide].into_iter().filter(|x| x.is_finite()) {
                let mut out = Vec::new();
                write_float(x, &mut out);
                let json: Json = serde_json::from_slice(&out).unwrap();
                assert_eq!(read_float(&json), Some(x));
            }
        }
    }
}
