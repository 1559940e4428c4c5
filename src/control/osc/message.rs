//! One OSC message becomes one [`Value`].
//!
//! Arguments are read in place: a message with one number allocates nothing. rosc is not used here, because it
//! allocates for each message, does not know `S` and fails on Latin-1 text; the tests compare this parser with
//! it. `params` decides what may be written; this only parses. Runs on the `osc` thread.

use std::num::NonZeroU16;

use super::packet::Refusal;
use crate::params::{Kind, MAX_DIM, Value};

/// Longest address in bytes.
pub const MAX_ADDRESS: usize = 255;
/// Longest string argument in bytes: names and paths.
pub const MAX_TEXT: usize = 1024;
/// Longest piece of code, in bytes; a datagram holds no more.
pub const MAX_CODE: usize = 64 << 10;
/// Maximum nesting of arrays.
pub const MAX_BRACKETS: usize = 4;

/// A message whose address has been parsed, but not its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub address: &'a str,
    /// Type tags without the comma.
    tags: &'a [u8],
    data: &'a [u8],
}

impl<'a> Message<'a> {
    /// Parses address and type tags. An address without its slash is passed on, so that the player can be told, if type
    /// tags follow and it is plain text.
    ///
    /// # Errors
    /// When the bytes are not an OSC message.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        if bytes.first() != Some(&b'/') && !is_without_slash(bytes) {
            return Err(Refusal::NotOsc);
        }
        let (address, rest) = padded_string(bytes).ok_or(Refusal::Short)?;
        if address.len() > MAX_ADDRESS || !address.iter().all(|b| (0x20..0x7f).contains(b) || *b >= 0x80) {
            return Err(Refusal::BadAddress);
        }
        let address = std::str::from_utf8(address).map_err(|_| Refusal::BadAddress)?;
        let Some(&first) = rest.first() else {
            // Old senders omit the tags when there are no arguments.
            return Ok(Message { address, tags: &[], data: &[] });
        };
        if first != b',' {
            return Err(Refusal::NoTags);
        }
        let (tags, data) = padded_string(rest).ok_or(Refusal::Short)?;
        Ok(Message { address, tags: &tags[1..], data })
    }

    /// The arguments as one value for a parameter of the given kind (`None` if unknown).
    ///
    /// A parameter with a single value takes the first argument and ignores the rest. A vector, or an unknown address,
    /// takes several numbers, an array, or a blob of 32-bit floats in network byte order as a list. `N` and `I` count
    /// as no argument, `c` is a string, `r` is a list of four numbers from 0 to 1.
    ///
    /// # Errors
    /// When an argument is invalid, truncated, or not finite.
    pub fn value(&self, kind: Option<Kind>) -> Result<Value, Refusal> {
        let mut arguments = self.arguments();
        let Some(first) = arguments.next().transpose()? else { return Ok(Value::Nothing) };
        let several = self.tags.len() > 1 && arguments.clone().next().is_some();
        let wants_list = matches!(kind, Some(Kind::Vector { .. }) | None);
        if several && wants_list {
            match self.list() {
                // A string among the arguments of an alias: the first argument counts.
                Err(Refusal::Mixed) if kind.is_none() => {}
                other => return other,
            }
        }
        arguments.try_for_each(|rest| rest.map(|_| ()))?;
        first.value()
    }

    /// The code that the message carries, in its first argument: a string longer than others may be.
    ///
    /// # Errors
    /// When it is none, or too long.
    pub fn code(&self) -> Result<Value, Refusal> {
        match self.arguments().next().transpose()? {
            Some(Argument::Text(bytes)) if bytes.len() <= MAX_CODE => Ok(Value::Text(text(bytes))),
            Some(Argument::Text(_)) => Err(Refusal::LongText),
            _ => Err(Refusal::BadRequest),
        }
    }

    /// The number that the message carries, in its first argument.
    ///
    /// # Errors
    /// When there is none, or it is not finite.
    pub fn number(&self) -> Result<f64, Refusal> {
        let first = self.arguments().next().transpose()?;
        let number = first.and_then(Argument::number).ok_or(Refusal::NoNumber)?;
        if number.is_finite() { Ok(number) } else { Err(Refusal::NotFinite) }
    }

    /// The prefix and the reply port of a request such as `/subscribe /walk 9001`, in any order.
    ///
    /// # Errors
    /// When an argument is invalid, or a number is not a port.
    pub fn prefix_and_port(&self) -> Result<(Option<&'a str>, Option<NonZeroU16>), Refusal> {
        let (mut prefix, mut port) = (None, None);
        for argument in self.arguments() {
            let argument = argument?;
            match (argument, argument.number()) {
                (_, Some(number)) => {
                    let whole = Some(number as u16).filter(|&whole| f64::from(whole) == number);
                    port = Some(whole.and_then(NonZeroU16::new).ok_or(Refusal::BadPort)?);
                }
                (Argument::Text(bytes), None) => prefix = prefix.or(std::str::from_utf8(bytes).ok()),
                _ => {}
            }
        }
        Ok((prefix, port))
    }

    fn list(&self) -> Result<Value, Refusal> {
        let mut list = Vec::with_capacity(self.tags.len().min(MAX_DIM));
        for argument in self.arguments() {
            let number = argument?.number().ok_or(Refusal::Mixed)?;
            if !number.is_finite() {
                return Err(Refusal::NotFinite);
            }
            if list.len() < MAX_DIM {
                list.push(number as f32);
            }
        }
        Ok(Value::List(list))
    }

    fn arguments(&self) -> Arguments<'a> {
        Arguments { tags: self.tags, data: self.data, brackets: 0 }
    }
}

/// Whether these bytes are a message but for the slash that begins an address.
fn is_without_slash(bytes: &[u8]) -> bool {
    padded_string(bytes).is_some_and(|(address, rest)| {
        let is_name = |b: &u8| b.is_ascii_alphanumeric() || b"/_-. ".contains(b);
        address.first().is_some_and(u8::is_ascii_alphanumeric)
            && address.iter().all(is_name)
            && rest.first() == Some(&b',')
    })
}

/// One argument, still in the datagram.
#[derive(Clone, Copy, Debug)]
enum Argument<'a> {
    Float(f64),
    Int(i64),
    Bool(bool),
    Text(&'a [u8]),
    Char(char),
    Color([u8; 4]),
    Blob(&'a [u8]),
    Nothing,
}

impl Argument<'_> {
    fn value(self) -> Result<Value, Refusal> {
        Ok(match self {
            Argument::Float(x) if x.is_finite() => Value::Float(x),
            Argument::Float(_) => return Err(Refusal::NotFinite),
            Argument::Int(i) => Value::Int(i),
            Argument::Bool(b) => Value::Bool(b),
            Argument::Text(bytes) if bytes.len() > MAX_TEXT => return Err(Refusal::LongText),
            Argument::Text(bytes) => Value::Text(text(bytes)),
            Argument::Char(c) => Value::Text(c.to_string()),
            Argument::Color(rgba) => Value::List(rgba.map(|b| f32::from(b) / 255.0).to_vec()),
            Argument::Blob(bytes) => Value::List(floats(bytes)?),
            Argument::Nothing => Value::Nothing,
        })
    }

    fn number(self) -> Option<f64> {
        match self {
            Argument::Float(x) => Some(x),
            Argument::Int(i) => Some(i as f64),
            Argument::Bool(b) => Some(f64::from(u8::from(b))),
            Argument::Text(bytes) => std::str::from_utf8(bytes).ok()?.trim().parse().ok(),
            _ => None,
        }
    }
}

/// UTF-8 or, failing that, Latin-1.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&b| char::from(b)).collect(),
    }
}

/// A blob as 32-bit floats in network byte order.
fn floats(bytes: &[u8]) -> Result<Vec<f32>, Refusal> {
    let (chunks, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(Refusal::Blob);
    }
    let floats: Vec<f32> = chunks.iter().take(MAX_DIM).map(|&b| f32::from_be_bytes(b)).collect();
    if floats.iter().all(|x| x.is_finite()) { Ok(floats) } else { Err(Refusal::NotFinite) }
}

/// Iterates over the arguments, flattening arrays. Ends after the first error.
#[derive(Clone)]
struct Arguments<'a> {
    tags: &'a [u8],
    data: &'a [u8],
    brackets: usize,
}

impl<'a> Arguments<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (head, rest) = self.data.split_first_chunk::<N>().ok_or(Refusal::Short)?;
        self.data = rest;
        Ok(*head)
    }

    fn bracket(&mut self, tag: u8) -> Result<(), Refusal> {
        self.brackets = if tag == b'[' { Some(self.brackets + 1) } else { self.brackets.checked_sub(1) }
            .filter(|&open| open <= MAX_BRACKETS)
            .ok_or(Refusal::Brackets)?;
        Ok(())
    }

    fn read(&mut self, tag: u8) -> Result<Argument<'a>, Refusal> {
        Ok(match tag {
            b'f' => Argument::Float(f64::from(f32::from_be_bytes(self.take()?))),
            b'd' => Argument::Float(f64::from_be_bytes(self.take()?)),
            b'i' => Argument::Int(i64::from(i32::from_be_bytes(self.take()?))),
            b'h' => Argument::Int(i64::from_be_bytes(self.take()?)),
            b'T' => Argument::Bool(true),
            b'F' => Argument::Bool(false),
            b'N' | b'I' => Argument::Nothing,
            b's' | b'S' => {
                let (bytes, rest) = padded_string(self.data).ok_or(Refusal::Short)?;
                self.data = rest;
                Argument::Text(bytes)
            }
            b'b' => {
                let size = u32::from_be_bytes(self.take()?) as usize;
                let bytes = self.data.get(..size).ok_or(Refusal::Short)?;
                self.data = self.data.get(size.next_multiple_of(4)..).unwrap_or(&[]);
                Argument::Blob(bytes)
            }
            b'c' => Argument::Char(char::from_u32(u32::from_be_bytes(self.take()?)).ok_or(Refusal::UnknownType('c'))?),
            b'r' => Argument::Color(self.take()?),
            // Time tags and MIDI messages are skipped: no parameter takes one.
            b't' => self.take::<8>().map(|_| Argument::Nothing)?,
            b'm' => self.take::<4>().map(|_| Argument::Nothing)?,
            other => return Err(Refusal::UnknownType(char::from(other))),
        })
    }
}

impl<'a> Iterator for Arguments<'a> {
    type Item = Result<Argument<'a>, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((&tag, rest)) = self.tags.split_first() else {
                let open = std::mem::take(&mut self.brackets);
                return (open > 0).then_some(Err(Refusal::Brackets));
            };
            self.tags = rest;
            let result = match tag {
                b'[' | b']' => match self.bracket(tag) {
                    Ok(()) => continue,
                    Err(refusal) => Err(refusal),
                },
                _ => self.read(tag),
            };
            if result.is_err() {
                self.tags = &[];
                self.brackets = 0;
            }
            return Some(result);
        }
    }
}

/// The bytes before the first zero, and what follows the padding. Missing padding at the very end is tolerated.
fn padded_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = bytes.iter().position(|&b| b == 0)?;
    let padded = (len + 1).next_multiple_of(4);
    Some((&bytes[..len], bytes.get(padded..).unwrap_or(&[])))
}

#[cfg(test)]
mod test {
    use super::*;
    use rosc::{OscArray, OscColor, OscMessage, OscPacket, OscType};

    fn encoded(args: Vec<OscType>) -> Vec<u8> {
        rosc::encoder::encode(&OscPacket::Message(OscMessage { addr: "/x".to_owned(), args })).unwrap()
    }

    fn read(args: Vec<OscType>, kind: Option<Kind>) -> Result<Value, Refusal> {
        Message::parse(&encoded(args))?.value(kind)
    }

    const SCALAR: Option<Kind> = Some(Kind::Float { min: 0.0, max: 1.0, default: 0.0 });
    const VECTOR: Option<Kind> = Some(Kind::Vector { max_len: MAX_DIM });

    #[test]
    fn every_argument_type_has_its_value() {
        use OscType::*;
        let array = |content| Array(OscArray { content });
        let one = [
            (Float(0.5), Value::Float(0.5)),
            (Double(0.25), Value::Float(0.25)),
            (Int(-3), Value::Int(-3)),
            (Long(5_000_000_000), Value::Int(5_000_000_000)),
            (Bool(true), Value::Bool(true)),
            (Bool(false), Value::Bool(false)),
            (String("demo".to_owned()), Value::Text("demo".to_owned())),
            (Char('x'), Value::Text("x".to_owned())),
            (Nil, Value::Nothing),
            (Inf, Value::Nothing),
            (Blob(vec![0x3f, 0x80, 0, 0, 0xbf, 0, 0, 0]), Value::List(vec![1.0, -0.5])),
            (Color(OscColor { red: 255, green: 0, blue: 51, alpha: 255 }), Value::List(vec![1.0, 0.0, 0.2, 1.0])),
            (array(vec![Float(0.5)]), Value::Float(0.5)),
            (array(vec![]), Value::Nothing),
        ];
        for (argument, expected) in one {
            for kind in [SCALAR, VECTOR, None] {
                assert_eq!(read(vec![argument.clone()], kind).as_ref(), Ok(&expected), "{argument:?}");
            }
        }
        assert_eq!(read(vec![], SCALAR), Ok(Value::Nothing));
        let several = vec![Float(1.0), Int(2), Bool(true), array(vec![Double(4.0), array(vec![Float(5.0)])])];
        assert_eq!(read(several.clone(), SCALAR), Ok(Value::Float(1.0)));
        assert_eq!(read(several.clone(), VECTOR), Ok(Value::List(vec![1.0, 2.0, 1.0, 4.0, 5.0])));
        assert_eq!(read(several, None), Ok(Value::List(vec![1.0, 2.0, 1.0, 4.0, 5.0])));
        let mixed = vec![Float(1.0), String("sine".to_owned())];
        assert_eq!(read(mixed.clone(), None), Ok(Value::Float(1.0)));
        assert_eq!(read(mixed, VECTOR), Err(Refusal::Mixed));
    }

    #[test]
    fn non_finite_numbers_are_refused() {
        use OscType::*;
        for bad in [Float(f32::NAN), Float(f32::INFINITY), Double(f64::NEG_INFINITY)] {
            assert_eq!(read(vec![bad.clone()], SCALAR), Err(Refusal::NotFinite));
            assert_eq!(read(vec![Float(0.0), bad], VECTOR), Err(Refusal::NotFinite));
        }
        assert_eq!(read(vec![Blob(f32::NAN.to_be_bytes().to_vec())], VECTOR), Err(Refusal::NotFinite));
        assert_eq!(read(vec![Blob(vec![1, 2, 3])], VECTOR), Err(Refusal::Blob));
    }

    #[test]
    fn symbols_latin_1_and_missing_tags_are_tolerated() {
        let value = |bytes: &[u8]| Message::parse(bytes).and_then(|m| m.value(SCALAR));
        assert_eq!(value(b"/x\0\0,S\0\0sym\0"), Ok(Value::Text("sym".to_owned())));
        assert_eq!(value(b"/x\0\0,s\0\0caf\xe9\0\0\0\0"), Ok(Value::Text("caf\u{e9}".to_owned())));
        assert_eq!(value(b"/x\0\0"), Ok(Value::Nothing));
        assert_eq!(value(b"/x\0\0,\0\0\0"), Ok(Value::Nothing));
    }

    #[test]
    fn broken_messages_name_their_error() {
        let value = |bytes: &[u8]| Message::parse(bytes).and_then(|m| m.value(VECTOR)).unwrap_err();
        assert_eq!(value(b"abc\0"), Refusal::NotOsc);
        assert_eq!(value(b"/abc"), Refusal::Short);
        assert_eq!(value(b"/x\0\0\x01\x02\x03\x04"), Refusal::NoTags);
        assert_eq!(value(b"/x\0\0,f\0\0"), Refusal::Short);
        assert_eq!(value(b"/x\0\0,ff\0\x3f\x80\0\0"), Refusal::Short);
        assert_eq!(value(b"/x\0\0,Q\0\0"), Refusal::UnknownType('Q'));
        assert_eq!(value(b"/x\0\0,b\0\0\xff\xff\xff\xff"), Refusal::Short);
        assert_eq!(value(b"/x\0\0,]\0\0"), Refusal::Brackets);
        assert_eq!(value(b"/x\0\0,[\0\0"), Refusal::Brackets);
        assert_eq!(value(b"/x\0\0,[[[[[]]]]]\0\0\0\0"), Refusal::Brackets);
        assert_eq!(value(b"/\x07\0\0,\0\0\0"), Refusal::BadAddress);
        let mut brackets = b"/x\0\0,".to_vec();
        brackets.extend([b'['; 30_000]);
        brackets.extend([0; 4]);
        assert_eq!(value(&brackets), Refusal::Brackets);
        let mut long = b"/x\0\0,s\0\0".to_vec();
        long.extend([b'a'; MAX_TEXT + 1]);
        long.push(0);
        assert_eq!(value(&long), Refusal::LongText);
    }

    fn flat(args: Vec<OscType>) -> Vec<OscType> {
        let content = |arg| if let OscType::Array(array) = arg { flat(array.content) } else { vec![arg] };
        args.into_iter().flat_map(content).collect()
    }

    fn is_same(theirs: &OscType, ours: Argument<'_>) -> bool {
        match (theirs, ours) {
            (OscType::Float(a), Argument::Float(b)) => f64::from(*a).to_bits() == b.to_bits(),
            (OscType::Double(a), Argument::Float(b)) => a.to_bits() == b.to_bits(),
            (OscType::Int(a), Argument::Int(b)) => i64::from(*a) == b,
            (OscType::Long(a), Argument::Int(b)) => *a == b,
            (OscType::Bool(a), Argument::Bool(b)) => *a == b,
            (OscType::String(a), Argument::Text(b)) => a.as_bytes() == b,
            (OscType::Blob(a), Argument::Blob(b)) => a == b,
            (OscType::Char(a), Argument::Char(b)) => *a == b,
            (OscType::Color(a), Argument::Color(b)) => [a.red, a.green, a.blue, a.alpha] == b,
            (OscType::Nil | OscType::Inf, Argument::Nothing) => true,
            _ => false,
        }
    }

    /// Whatever both parsers accept has the same meaning.
    #[test]
    fn agrees_with_rosc() {
        let mut rng = crate::control::test_rng(7);
        let (mut agreed, mut bytes) = (0, Vec::new());
        for round in 0..40_000 {
            bytes.clear();
            bytes.extend(b"/x\0\0,");
            bytes.extend((0..rng() % 6).map(|_| b"fdihTFNIsbcr[]"[rng() as usize % 14]));
            bytes.resize((bytes.len() + 1).next_multiple_of(4), 0);
            bytes.extend((0..rng() % 12 * 4).map(|i| if i % 4 == 0 { 0 } else { rng() as u8 & 0x7f }));
            let theirs = rosc::decoder::decode_udp(&bytes);
            let ours = Message::parse(&bytes).and_then(|m| m.arguments().collect::<Result<Vec<_>, _>>());
            if let (Ok((_, OscPacket::Message(theirs))), Ok(ours)) = (theirs, ours) {
                let theirs = flat(theirs.args);
                let same = theirs.len() == ours.len() && theirs.iter().zip(&ours).all(|(a, b)| is_same(a, *b));
                assert!(same, "round {round}: {theirs:?} against {ours:?} in {bytes:?}");
                agreed += 1;
            }
        }
        assert!(agreed > 5000, "only {agreed} messages were compared");
    }
}
