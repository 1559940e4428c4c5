//! The framing of socket.io 1 and 2: Engine.IO, revision 3 of its protocol, with JSON events inside. Pure.
//!
//! A packet is a digit and a text: `0` open, `1` close, `2` ping, `3` pong, `4` message, `5` upgrade, `6` nothing. Over a
//! WebSocket each is a frame; while polling, several travel as `length:packet` one behind the other, with the length in
//! UTF-16 units. A message is socket.io's own packet: `0` connect, `1` disconnect, `2` event, `4` error. Source:
//! engine.io-protocol and socket.io-protocol, revisions 3 and 4.

use serde_json::{Value as Json, json};

/// Interval of the client's pings, and how long it waits for the answer, in milliseconds.
pub const PING_MS: [u64; 2] = [25_000, 5_000];
/// What a poll without news ends with, and what frees a poll for an upgrade.
pub const NOTHING: &str = "6";
pub const CONNECTED: &str = "40";
/// Most packets in one payload of a client.
const MOST_PACKETS: usize = 64;

/// What a client's packet asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// With what the answer repeats.
    Ping(&'a str),
    Close,
    Upgrade,
    /// The JSON array of an event `query`.
    Query(&'a str),
    /// What needs no answer: a pong, another event.
    Other,
    /// No packet of this protocol.
    Nonsense,
}

/// Reads a packet.
pub fn read(packet: &str) -> Said<'_> {
    let Some((kind, rest)) = packet.split_at_checked(1) else { return Said::Nonsense };
    match kind {
        "1" => Said::Close,
        "2" => Said::Ping(rest),
        "5" => Said::Upgrade,
        "3" | "6" => Said::Other,
        "4" => read_message(rest),
        _ => Said::Nonsense,
    }
}

fn read_message(message: &str) -> Said<'_> {
    let Some((kind, rest)) = message.split_at_checked(1) else { return Said::Nonsense };
    match kind {
        "1" => Said::Close,
        "2" => {
            // The number of an acknowledgement, which nobody here waits for.
            let array = rest.trim_start_matches(|digit: char| digit.is_ascii_digit()).trim_start();
            let name = array.strip_prefix('[').map(str::trim_start);
            match name {
                Some(name) if name.starts_with("\"query\"") => Said::Query(array),
                Some(_) => Said::Other,
                None => Said::Nonsense,
            }
        }
        "0" | "3" | "4" => Said::Other,
        _ => Said::Nonsense,
    }
}

/// The packet that opens a session.
pub fn open(sid: &str, upgrades: &[&str]) -> String {
    let [interval, timeout] = PING_MS;
    format!("0{}", json!({ "sid": sid, "upgrades": upgrades, "pingInterval": interval, "pingTimeout": timeout }))
}

/// An event; `data` is JSON.
pub fn event(name: &str, data: &str) -> String {
    format!("42[\"{name}\",{}]", ascii(data))
}

/// The event that tells what went wrong.
pub fn error(line: &str) -> String {
    event("error", &json!({ "error": line }).to_string())
}

/// JSON without characters beyond ASCII: clients disagree about how often a payload is encoded as UTF-8.
pub fn ascii(json: &str) -> std::borrow::Cow<'_, str> {
    if json.is_ascii() {
        return json.into();
    }
    let mut out = String::with_capacity(json.len() + 64);
    let mut units = [0; 2];
    for char in json.chars() {
        if char.is_ascii() {
            out.push(char);
        } else {
            // Outside texts JSON has no such characters.
            char.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out.into()
}

/// Packets as one payload for polling. They are ASCII.
pub fn payload<'a>(packets: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for packet in packets {
        out.push_str(&packet.encode_utf16().count().to_string());
        out.push(':');
        out.push_str(packet);
    }
    out
}

/// The packets of a client's payload; `None` if it is none.
pub fn split(payload: &str) -> Option<Vec<String>> {
    let (mut packets, mut rest) = (Vec::new(), payload);
    while !rest.is_empty() {
        let (length, after) = rest.split_once(':')?;
        let length = Some(length).filter(|length| length.len() < 10 && length.bytes().all(|b| b.is_ascii_digit()))?;
        let mut left: usize = length.parse().ok()?;
        let mut end = 0;
        for char in after.chars() {
            if left == 0 {
                break;
            }
            left = left.checked_sub(char.len_utf16())?;
            end += char.len_utf8();
        }
        if left > 0 || packets.len() == MOST_PACKETS {
            return None;
        }
        packets.push(decoded_once_more(&after[..end]));
        rest = &after[end..];
    }
    Some(packets)
}

/// socket.io-client 1 encodes as UTF-8 before the browser does; 2 does not. What is UTF-8 inside is decoded again.
fn decoded_once_more(packet: &str) -> String {
    if packet.is_ascii() {
        return packet.to_owned();
    }
    let bytes: Option<Vec<u8>> = packet.chars().map(|char| u8::try_from(u32::from(char)).ok()).collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| packet.to_owned())
}

/// What a client with another revision of the protocol is told, as engine.io does.
pub fn other_revision() -> Json {
    json!({ "code": 5, "message": "Unsupported protocol version" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handshake_is_as_recorded() {
        // From socket.io 2.2.0, but for the sid.
        let open = open("AAAAAAAAAAAAAAAAAAAA", &["websocket"]);
        let recorded = "96:0{\"sid\":\"AAAAAAAAAAAAAAAAAAAA\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\
                        \"pingTimeout\":5000}2:40";
        let sorted = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            bytes.sort_unstable();
            bytes
        };
        let ours = payload([open.as_str(), CONNECTED]);
        assert_eq!((ours.len(), &ours[..4], &ours[ours.len() - 4..]), (recorded.len(), "96:0", "2:40"));
        // The order of an object's keys is free.
        assert_eq!(sorted(&ours), sorted(recorded));
        assert_eq!(serde_json::from_str::<Json>(&open[1..]).unwrap()["pingTimeout"], 5000);
    }

    #[test]
    fn payloads_are_split_by_length() {
        let query = r#"42["query",{"image":"data:,a:b"}]"#;
        let text = format!("1:2{}:{query}1:1", query.len());
        assert_eq!(split(&text).unwrap(), ["2", query, "1"]);
        assert_eq!(payload(["2", query, "1"]), text);
        assert_eq!(split("").unwrap().len(), 0);
        for wrong in ["2", ":2", "-1:2", "2:2", "+1:2", "99999999999999999999:2", "1:22", "a", "0x1:2"] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
        assert_eq!(split(&"1:2".repeat(MOST_PACKETS)).map(|packets| packets.len()), Some(MOST_PACKETS));
        assert_eq!(split(&"1:2".repeat(MOST_PACKETS + 1)), None);
    }

    #[test]
    fn lengths_count_utf16_and_both_generations_of_clients_are_understood() {
        let packet = "42[\"query\",{\"style\":\"h\u{f6}he\"}]";
        let once = format!("{}:{packet}", packet.encode_utf16().count());
        assert_eq!(split(&once).unwrap(), [packet]);
        let twice: String = packet.bytes().map(char::from).collect();
        let twice = format!("{}:{twice}", twice.chars().count());
        assert_ne!(once, twice);
        assert_eq!(split(&twice).unwrap(), [packet]);
        // One character, two units.
        assert_eq!(split("2:\u{1f600}1:2").unwrap(), ["\u{1f600}", "2"]);
        assert_eq!(split("1:\u{1f600}"), None, "half a character");
    }

    #[test]
    fn packets_are_told_apart() {
        for (packet, said) in [
            ("2", Said::Ping("")),
            ("2probe", Said::Ping("probe")),
            ("5", Said::Upgrade),
            ("1", Said::Close),
            ("41", Said::Close),
            ("3", Said::Other),
            ("40", Said::Other),
            (r#"42["query",{"z":[1]}]"#, Said::Query(r#"["query",{"z":[1]}]"#)),
            (r#"4217[ "query" ,{}]"#, Said::Query(r#"[ "query" ,{}]"#)),
            (r#"42["queryx",{}]"#, Said::Other),
            (r#"42["update_request",{}]"#, Said::Other),
            ("42", Said::Nonsense),
            ("4", Said::Nonsense),
            ("451-[]", Said::Nonsense),
            ("", Said::Nonsense),
            ("\u{e9}", Said::Nonsense),
            ("9", Said::Nonsense),
        ] {
            assert_eq!(read(packet), said, "{packet}");
        }
    }

    #[test]
    fn events_are_ascii_and_the_same_json() {
        let data = "{\"name\":\"d\u{e9}j\u{e0} \u{1f600}\"}";
        let event = event("info", data);
        assert!(event.is_ascii() && event.contains("\\ud83d\\ude00"), "{event}");
        let array: Json = serde_json::from_str(&event[2..]).unwrap();
        assert_eq!(array, json!(["info", serde_json::from_str::<Json>(data).unwrap()]));
        assert_eq!(error("no \"z\""), r#"42["error",{"error":"no \"z\""}]"#);
    }
}
