//! Are the tables of the documentation those of the program: the parameters as `params --format markdown` prints them, the
//! effects that ship with their own words, and what every key does? `UPDATE=1 cargo test the_docs` rewrites them. And does every link lead somewhere?

use std::collections::HashSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use latent_jockey::commands::params::{Format, table};
use latent_jockey::params::Table;
use latent_jockey::patch::folders::{Folders, Kind};

fn read(file: &str) -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    (path, text)
}

fn check(file: &str, mark: &str, expected: &str) {
    let (path, text) = read(file);
    let (open, close) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let start = text.find(&open).expect("the opening mark") + open.len();
    let end = start + text[start..].find(&close).expect("the closing mark");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, format!("{}{expected}{}", &text[..start], &text[end..])).expect("the file to be written");
        return;
    }
    assert!(
        text[start..end] == *expected,
        "the table in {file} is out of date: UPDATE=1 cargo test the_docs rewrites it"
    );
}

#[test]
fn the_parameters_are_those_of_the_program() {
    check("docs/PARAMETERS.md", "params", &table(Format::Markdown, Table::built_in()));
}

#[test]
fn the_effects_are_those_that_ship() {
    let mut expected = "| effect | what it does |\n| --- | --- |\n".to_owned();
    for file in Folders::default().files(Kind::Effect) {
        let effect = latent_jockey::patch::effects::load(&file).unwrap_or_else(|error| panic!("{}", error.block()));
        let help = effect.help.split_inclusive('.').next().unwrap_or_default().trim_end_matches('.');
        writeln!(expected, "| `{}` | {help} |", effect.name).expect("a string takes everything");
    }
    check("docs/EFFECTS.md", "effects", &expected);
}

#[test]
fn the_keys_are_those_of_the_program() {
    check("docs/SETS.md", "keys", &latent_jockey::commands::keys::table());
}

/// As GitHub makes it of a heading: lower case, words joined by hyphens, without punctuation.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|char| char.is_alphanumeric() || matches!(char, '-' | '_')).collect()
}

/// The anchors of a page's headings, and the targets of its links, both outside code.
fn headings_and_links(text: &str) -> (HashSet<String>, Vec<String>) {
    let (mut headings, mut links) = (HashSet::new(), Vec::new());
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            if let Some(heading) = line.strip_prefix('#') {
                headings.insert(anchor(heading.trim_start_matches('#')));
            }
            let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
            links.extend(targets.map(|(target, _)| target.to_owned()));
        }
    }
    (headings, links)
}

/// What is wrong with the links of a page, by the pages and files that are there.
fn dead_links(page: &str) -> Vec<String> {
    let (path, text) = read(page);
    let (own, links) = headings_and_links(&text);
    let is_dead = |link: &String| {
        if link.contains("://") || link.starts_with("mailto:") {
            return false;
        }
        let (file, part) = link.split_once('#').map_or((link.as_str(), None), |(file, part)| (file, Some(part)));
        let target = path.parent().expect("a folder").join(file);
        let is_there = file.is_empty() || target.exists();
        let has_part = part.is_none_or(|part| {
            if file.is_empty() {
                return own.contains(part);
            }
            std::fs::read_to_string(&target).is_ok_and(|text| headings_and_links(&text).0.contains(part))
        });
        !is_there || !has_part
    };
    links.into_iter().filter(is_dead).map(|link| format!("{page}: {link}")).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let text = "# A page, *first*\n[a](#a-page-first) ![b](b.png)\n```\n# no [heading](x)\n```\n";
    let (headings, links) = headings_and_links(text);
    assert_eq!((headings.contains("a-page-first"), headings.len()), (true, 1));
    assert_eq!(links, ["#a-page-first", "b.png"]);
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let names = std::fs::read_dir(docs).expect("docs").map(|entry| entry.expect("a file").file_name());
    let pages = names.filter_map(|name| name.into_string().ok()).filter(|name| name.ends_with(".md"));
    let pages = pages.map(|name| format!("docs/{name}"));
    let others = [
        "README.md",
        "CONTRIBUTING.md",
        "presets/networks/README.md",
        "presets/pictures/README.md",
        "presets/captioner/README.md",
    ]
    .map(str::to_owned);
    let dead: Vec<String> = pages.chain(others).flat_map(|page| dead_links(&page)).collect();
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn the_table_as_json_is_json() {
    let rows: serde_json::Value = serde_json::from_str(&table(Format::Json, Table::built_in())).expect("valid JSON");
    assert_eq!(rows.as_array().map(Vec::len), Some(Table::built_in().len()));
}
