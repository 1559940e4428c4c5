//! The JSON of OSCQuery: the host, nodes with everything below them, and single attributes. Pure.
//!
//! Optional attributes are omitted when they would say nothing: most parameters have no unit that the proposal knows.
//! A switch is `T`, a choice is `s` with its options in `RANGE`, a trigger is `N` and can only be written.

use rosc::OscType;
use serde_json::{Map, Value as Json, json};

use super::OscHost;
use super::board::{Board, Place};
use crate::control::mapping::OscEntry;
use crate::control::mapping::macros::number_of;
use crate::params::{Def, Id, Kind, Remote};

/// The attributes of a node that can be requested individually.
pub const ATTRIBUTES: [&str; 15] = [
    "FULL_PATH",
    "CONTENTS",
    "TYPE",
    "ACCESS",
    "VALUE",
    "EFFECTIVE",
    "RANGE",
    "DESCRIPTION",
    "UNIT",
    "CLIPMODE",
    "MACRO",
    "DEFAULT",
    "REMOTE",
    "NAMES",
    "IDLE",
];

/// The answer to `?HOST_INFO`.
pub fn host(name: &str, web: std::net::SocketAddr, osc: Option<OscHost>) -> Json {
    let mut host = Map::new();
    host.insert("NAME".to_owned(), json!(name));
    if let Some(osc) = osc {
        if let Some(ip) = osc.ip {
            host.insert("OSC_IP".to_owned(), json!(ip.to_string()));
        }
        host.insert("OSC_PORT".to_owned(), json!(osc.port));
        host.insert("OSC_TRANSPORT".to_owned(), json!("UDP"));
    }
    if !web.ip().is_unspecified() {
        host.insert("WS_IP".to_owned(), json!(web.ip().to_string()));
    }
    host.insert("WS_PORT".to_owned(), json!(web.port()));
    host.insert(
        "EXTENSIONS".to_owned(),
        json!({
            "ACCESS": true, "VALUE": true, "RANGE": true, "DESCRIPTION": true, "UNIT": true, "CLIPMODE": true, "HTML": true,
            // Our extensions: the effective value, if modulated; what a macro is called and moves; what a control is reset to;
            // what clients may not do; the names of a number's values; why a parameter does nothing with what plays; and, for
            // the page, what plays in words and the names of what can be played.
            "EFFECTIVE": true, "MACRO": true, "DEFAULT": true, "REMOTE": true, "NAMES": true, "IDLE": true, "PLAYING": true,
            "TAGS": false, "EXTENDED_TYPE": false, "CRITICAL": false, "OVERLOADS": false,
            "LISTEN": true, "IGNORE": true, "PATH_CHANGED": true, "PATH_ADDED": true, "PATH_REMOVED": true,
            "PATH_RENAMED": false,
        }),
    );
    Json::Object(host)
}

/// The node at an address, with everything below it; `None` if there is none. `/` is the whole tree.
pub fn node(board: &Board, address: &str) -> Option<Json> {
    let address = address.trim_end_matches('/');
    let address = address.strip_prefix("/latent-jockey").unwrap_or(address);
    let mut top = container(if address.is_empty() { "/" } else { address });
    let mut is_there = address.is_empty();
    for place in board.places() {
        let path = board.address(place);
        let Some(rest) = path.strip_prefix(address) else { continue };
        if !rest.is_empty() && !rest.starts_with('/') {
            continue;
        }
        is_there = true;
        if let Some(node) = descend(&mut top, address.to_owned(), rest.split('/').skip(1)) {
            describe(board, place, node);
        }
    }
    if address.is_empty() {
        top.insert("DESCRIPTION".to_owned(), json!("an instrument for playing generative networks on stage"));
    }
    is_there.then_some(Json::Object(top))
}

/// The node at this path, created with its parents if missing.
fn descend<'a, 'n>(
    node: &'a mut Map<String, Json>,
    at: String,
    mut names: impl Iterator<Item = &'n str>,
) -> Option<&'a mut Map<String, Json>> {
    let Some(name) = names.next() else { return Some(node) };
    let at = format!("{at}/{name}");
    let contents = node.entry("CONTENTS").or_insert_with(|| json!({})).as_object_mut()?;
    let child = contents.entry(name).or_insert_with(|| Json::Object(container(&at))).as_object_mut()?;
    descend(child, at, names)
}

fn container(address: &str) -> Map<String, Json> {
    let mut node = Map::new();
    node.insert("FULL_PATH".to_owned(), json!(address));
    node.insert("ACCESS".to_owned(), json!(0));
    node
}

/// Adds the attributes of a place to a node.
fn describe(board: &Board, place: Place, node: &mut Map<String, Json>) {
    let mut set = |name: &str, value: Json| node.insert(name.to_owned(), value);
    let arguments = board.arguments(place);
    match place {
        Place::Param(target) => {
            let def = target.id.def();
            set("TYPE", json!(type_tags(board, target.id.def())));
            set("DESCRIPTION", json!(def.help));
            set_range(&limited(board, def, target.id), &mut set);
            set_extensions(def, &mut set);
            if let Some(meaning) = board.meaning(target.id).filter(|meaning| !meaning.words.is_empty()) {
                set("NAMES", json!(*meaning.words));
            }
            if let Err(reason) = board.dims.applies(target.id) {
                set("IDLE", json!(reason));
            }
            if let Some(entry) = number_of(target.id).and_then(|number| board.macros.get(number)) {
                let to: Vec<String> = entry.to.iter().map(|to| to.target.to_string()).collect();
                set("MACRO", json!({ "NAME": entry.name, "TARGETS": to }));
            }
        }
        Place::Feed(feed) => {
            set("TYPE", json!(if matches!(board.feeds.value(feed), OscType::Int(_)) { "i" } else { "f" }));
            set("DESCRIPTION", json!(feed.help()));
        }
        Place::Alias(i) => {
            let Some(alias) = board.aliases.get(i) else { return };
            describe_alias(board, alias, &mut set);
        }
    }
    let writable = if matches!(place, Place::Feed(_)) { 0 } else { 2 };
    set("ACCESS", json!(writable + i32::from(arguments.is_some())));
    let list = |arguments: Vec<OscType>| Json::Array(arguments.iter().map(json_of).collect());
    if let Some(arguments) = arguments {
        set("VALUE", list(arguments));
    }
    if let Some(arguments) = board.modulated(place) {
        set("EFFECTIVE", list(arguments));
    }
}

fn describe_alias(board: &Board, alias: &OscEntry, set: &mut impl FnMut(&str, Json) -> Option<Json>) {
    set("DESCRIPTION", json!(format!("plays {}: {}", alias.to, alias.to.id.def().help)));
    if alias.is_travel() {
        set("TYPE", json!("f"));
        set("RANGE", json!([{ "MIN": 0.0, "MAX": 1.0 }]));
        set("CLIPMODE", json!(["both"]));
    } else {
        set("TYPE", json!(type_tags(board, alias.to.id.def())));
        set_range(&limited(board, alias.to.id.def(), alias.to.id), set);
    }
}

/// The row with the range that the networks leave it.
fn limited(board: &Board, def: &Def, id: Id) -> Def {
    board.meaning(id).map_or(*def, |meaning| meaning.limit(def))
}

fn type_tags(board: &Board, def: &Def) -> String {
    match def.kind {
        Kind::Float { .. } => "f".to_owned(),
        // Seeds beyond 31 bits are sent as `h`; `i` is what every client knows.
        Kind::Int { .. } => "i".to_owned(),
        Kind::Bool { .. } => "T".to_owned(),
        Kind::Choice { .. } | Kind::Text { .. } => "s".to_owned(),
        Kind::Trigger => "N".to_owned(),
        Kind::Vector { .. } => "f".repeat(board.dims.vector_len(def)),
    }
}

fn set_range(def: &Def, set: &mut impl FnMut(&str, Json) -> Option<Json>) {
    match def.kind {
        Kind::Float { min, max, .. } => {
            set("RANGE", json!([{ "MIN": min, "MAX": max }]));
            set("CLIPMODE", json!(["both"]));
        }
        Kind::Int { min, max, .. } => {
            set("RANGE", json!([{ "MIN": min, "MAX": max }]));
            set("CLIPMODE", json!(["both"]));
        }
        Kind::Choice { options, .. } => {
            set("RANGE", json!([{ "VALS": options }]));
        }
        Kind::Bool { .. } | Kind::Text { .. } | Kind::Trigger | Kind::Vector { .. } => {}
    }
    // The names from the proposal's list of units, which has none for the others.
    let unit = match def.unit {
        "s" => "time.second",
        "bpm" => "time.bpm",
        "px" => "distance.pixels",
        _ => return,
    };
    set("UNIT", json!([unit]));
}

/// What the proposal does not have.
fn set_extensions(def: &Def, set: &mut impl FnMut(&str, Json) -> Option<Json>) {
    match def.kind {
        Kind::Float { default, .. } => set("DEFAULT", json!([default])),
        Kind::Int { default, .. } => set("DEFAULT", json!([default])),
        Kind::Bool { default } => set("DEFAULT", json!([default])),
        Kind::Choice { options, default } => set("DEFAULT", json!([options.get(default)])),
        Kind::Text { .. } | Kind::Trigger | Kind::Vector { .. } => None,
    };
    match def.remote {
        Remote::Allowed => None,
        Remote::NoFiles => set("REMOTE", json!("no files")),
        Remote::Local => set("REMOTE", json!("local")),
        Remote::Refused => set("REMOTE", json!("refused")),
    };
}

/// The JSON of one argument.
fn json_of(argument: &OscType) -> Json {
    match argument {
        // Through its shortest decimal form, so that 0.7 is not 0.699999988079071.
        OscType::Float(x) => json!(x.to_string().parse::<f64>().unwrap_or_default()),
        OscType::Int(i) => json!(i),
        OscType::Long(i) => json!(i),
        OscType::Bool(b) => json!(b),
        OscType::String(text) => json!(text),
        _ => Json::Null,
    }
}

#[cfg(test)]
mod test {
    use super::super::board::test::board_of;
    use super::*;
    use crate::params::{Meaning, Params, Table, Value};

    #[test]
    fn every_parameter_is_in_the_tree() {
        let board = board_of(&Params::default(), Vec::new());
        let tree = node(&board, "/").unwrap();
        for def in Table::built_in().iter() {
            let address = def.address.replace("<n>", "3");
            let found = address.split('/').skip(1).fold(&tree, |node, name| &node["CONTENTS"][name]);
            assert_eq!(found["FULL_PATH"], json!(address));
            assert_eq!(found["DESCRIPTION"], json!(def.help));
            let trigger = def.kind == Kind::Trigger;
            assert_eq!(found["ACCESS"], json!(if trigger { 2 } else { 3 }), "{address}");
            assert_eq!(found.get("VALUE").is_some(), !trigger, "{address}");
            let tags = found["TYPE"].as_str().unwrap().len();
            assert!(trigger || found["VALUE"].as_array().unwrap().len() == tags, "{address}");
            assert_eq!(node(&board, &address).as_ref(), Some(found));
        }
        assert_eq!(tree["CONTENTS"]["z"]["CONTENTS"].as_object().unwrap().len(), 64);
        assert_eq!(tree["CONTENTS"]["style"]["CONTENTS"]["mix"]["ACCESS"], json!(0));
        assert!(tree["CONTENTS"]["style"]["CONTENTS"]["mix"].get("TYPE").is_none());
    }

    #[test]
    fn the_networks_are_in_the_tree() {
        let mut params = Params::default();
        let words = ["starry", "kiss", "wave"].map(str::to_owned);
        params.set_meaning(Meaning { id: Id::StyleA, count: 3, words: words.into(), of: "painters3".into() });
        let board = board_of(&params, vec![OscEntry::plain("/1/style".to_owned(), Id::StyleA.into())]);
        let at = |address: &str| node(&board, address).unwrap();
        assert_eq!(at("/style/a")["NAMES"], json!(["starry", "kiss", "wave"]));
        for address in ["/style/a", "/1/style"] {
            assert_eq!(at(address)["RANGE"], json!([{ "MIN": 0, "MAX": 2 }]), "{address}");
        }
        assert_eq!(at("/transform/x")["IDLE"], json!("the network is no StyleGAN3"));
        assert!(at("/psi").get("IDLE").is_none() && at("/psi").get("NAMES").is_none());
    }

    #[test]
    fn nodes_agree_with_the_table() {
        let mut params = Params::default();
        params.write(Id::Psi.into(), &Value::Float(0.25)).unwrap();
        let aliases = toml::from_str("'/1/fader' = { to = '/psi', range = [0, 1] }\n'/go' = '/seed/next'");
        let aliases: std::collections::BTreeMap<String, crate::control::mapping::MidiOptions> = aliases.unwrap();
        let aliases = aliases
            .iter()
            .map(|(address, options)| OscEntry::new(address, options, Table::built_in()).unwrap())
            .collect();
        let board = board_of(&params, aliases);
        let at = |address: &str| node(&board, address).unwrap();
        let mut psi = at("/psi");
        let contents = psi.as_object_mut().unwrap().remove("CONTENTS").unwrap();
        assert_eq!((&contents["cutoff"], &contents["3"]), (&at("/psi/cutoff"), &at("/psi/3")));
        assert_eq!(
            psi,
            json!({
                "FULL_PATH": "/psi", "ACCESS": 3, "TYPE": "f", "VALUE": [0.25], "RANGE": [{"MIN": -1.0, "MAX": 2.0}],
                "CLIPMODE": ["both"], "DESCRIPTION": Id::Psi.def().help, "DEFAULT": [0.7],
            })
        );
        assert_eq!(at("/walk/kind")["RANGE"], json!([{ "VALS": ["hold", "drift", "loop", "line", "keys"] }]));
        assert_eq!(at("/walk/kind")["VALUE"], json!(["drift"]));
        assert_eq!(at("/walk/kind")["DEFAULT"], json!(["drift"]));
        let remote = |address: &str| at(address).get("REMOTE").cloned();
        assert_eq!((remote("/psi"), remote("/preset/save")), (None, Some(json!("no files"))));
        assert_eq!((remote("/record/start"), remote("/stream")), (Some(json!("local")), Some(json!("refused"))));
        assert_eq!((&at("/freeze")["TYPE"], &at("/freeze")["VALUE"]), (&json!("T"), &json!([false])));
        assert_eq!(at("/tempo")["UNIT"], json!(["time.bpm"]));
        assert_eq!((&at("/beat")["ACCESS"], &at("/beat")["VALUE"]), (&json!(1), &json!([3])));
        assert_eq!((&at("/1/fader")["VALUE"], &at("/1/fader")["ACCESS"]), (&json!([0.25]), &json!(3)));
        assert_eq!((&at("/go")["TYPE"], &at("/go")["ACCESS"]), (&json!("N"), &json!(2)));
        assert_eq!(at("/macro/2")["MACRO"], json!({ "NAME": "walk speed", "TARGETS": ["/walk/speed"] }));
        assert!(at("/psi").get("MACRO").is_none());
        assert_eq!(at("/latent-jockey/psi/"), at("/psi"));
        for nowhere in ["/pso", "/ps", "/psi/cutoff/x", "/z/64", "/1/fade"] {
            assert_eq!(node(&board, nowhere), None, "{nowhere}");
        }
    }
}
