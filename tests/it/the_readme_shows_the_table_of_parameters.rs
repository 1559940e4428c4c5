//! Are the README's tables those of the program: the parameters as `params --format markdown` prints them, and the effects
//! that ship with their own words? `UPDATE=1 cargo test the_readme` rewrites them.

use std::fmt::Write;
use std::sync::Mutex;

use latent_jockey::commands::params::{Format, table};
use latent_jockey::params::Table;
use latent_jockey::patch::folders::{Folders, Kind};

/// The README is rewritten by one test at a time.
static FILE: Mutex<()> = Mutex::new(());

fn check(mark: &str, expected: &str) {
    let _one = FILE.lock();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(file).expect("the README");
    let (open, close) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let start = readme.find(&open).expect("the opening mark") + open.len();
    let end = start + readme[start..].find(&close).expect("the closing mark");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, format!("{}{expected}{}", &readme[..start], &readme[end..]))
            .expect("the README to be written");
        return;
    }
    assert!(
        readme[start..end] == *expected,
        "the README's table of {mark} is out of date: UPDATE=1 cargo test the_readme rewrites it"
    );
}

#[test]
fn the_readme_shows_the_table_of_parameters() {
    check("params", &table(Format::Markdown, Table::built_in()));
}

#[test]
fn the_readme_lists_the_effects_that_ship() {
    let mut expected = "| effect | what it does |\n| --- | --- |\n".to_owned();
    for file in Folders::default().files(Kind::Effect) {
        let effect = latent_jockey::patch::effects::load(&file).unwrap_or_else(|error| panic!("{}", error.block()));
        let help = effect.help.split_inclusive('.').next().unwrap_or_default().trim_end_matches('.');
        writeln!(expected, "| `{}` | {help} |", effect.name).expect("a string takes everything");
    }
    check("effects", &expected);
}

#[test]
fn the_table_as_json_is_json() {
    let rows: serde_json::Value = serde_json::from_str(&table(Format::Json, Table::built_in())).expect("valid JSON");
    assert_eq!(rows.as_array().map(Vec::len), Some(Table::built_in().len()));
}
