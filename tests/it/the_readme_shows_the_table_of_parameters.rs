//! Is the README's table the output of `params --format markdown`? `UPDATE=1 cargo test the_readme` rewrites it.

use latent_jockey::commands::params::{Format, table};
use latent_jockey::params::Table;

const OPEN: &str = "<!-- params -->\n";
const CLOSE: &str = "<!-- /params -->";

#[test]
fn the_readme_shows_the_table_of_parameters() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(file).expect("the README");
    let start = readme.find(OPEN).expect("the opening mark") + OPEN.len();
    let end = start + readme[start..].find(CLOSE).expect("the closing mark");
    let expected = table(Format::Markdown, Table::built_in());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, format!("{}{expected}{}", &readme[..start], &readme[end..]))
            .expect("the README to be written");
        return;
    }
    assert!(
        readme[start..end] == expected,
        "the README's table is out of date: UPDATE=1 cargo test the_readme rewrites it"
    );
}

#[test]
fn the_table_as_json_is_json() {
    let rows: serde_json::Value = serde_json::from_str(&table(Format::Json, Table::built_in())).expect("valid JSON");
    assert_eq!(rows.as_array().map(Vec::len), Some(Table::built_in().len()));
}
