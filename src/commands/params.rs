//! `params`: the table of parameters as text, JSON or Markdown.

use std::fmt::Write;

use serde_json::json;

use crate::params::{BENDS, Curve, DIR_KNOBS, Def, Kind, Remote, Saving, Scope, Table};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
    Markdown,
}

#[derive(Debug, clap::Args)]
pub struct Options {
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    report!("{}", table(options.format, Table::built_in()).trim_end_matches('\n'));
    Ok(())
}

/// The whole table, with a trailing line break.
pub fn table(format: Format, table: &Table) -> String {
    match format {
        Format::Text => text(table),
        Format::Json => json(table),
        Format::Markdown => markdown(table),
    }
}

fn type_name(def: &Def) -> &'static str {
    match def.kind {
        Kind::Float { .. } => "float",
        Kind::Int { .. } => "int",
        Kind::Bool { .. } => "bool",
        Kind::Choice { .. } => "choice",
        Kind::Text { .. } => "string",
        Kind::Trigger => "trigger",
        Kind::Vector { .. } => "list",
    }
}

/// The range of valid values, in short form.
fn range(def: &Def) -> String {
    let unit = if def.unit.is_empty() { String::new() } else { format!(" {}", def.unit) };
    match def.kind {
        Kind::Float { min, max, .. } => format!("{min} to {max}{unit}"),
        Kind::Int { min, max, .. } => format!("{min} to {max}{unit}"),
        Kind::Choice { options, .. } => options.join(", "),
        Kind::Vector { max_len } => format!("up to {max_len} floats"),
        Kind::Bool { .. } => "on, off".to_owned(),
        Kind::Text { .. } | Kind::Trigger => String::new(),
    }
}

fn default(def: &Def) -> String {
    match def.kind {
        Kind::Float { default, .. } => default.to_string(),
        Kind::Int { default, .. } => default.to_string(),
        Kind::Bool { default } => (if default { "on" } else { "off" }).to_owned(),
        Kind::Choice { options, default } => options[default].to_owned(),
        Kind::Text { default } => default.to_owned(),
        Kind::Trigger | Kind::Vector { .. } => String::new(),
    }
}

/// The controllers that the default MIDI map assigns to this parameter.
fn midi(def: &Def) -> String {
    def.knob.map_or_else(String::new, |knob| format!("CC {}, {}", 15 + knob, 69 + knob))
}

fn text(table: &Table) -> String {
    let rows: Vec<[String; 6]> = table
        .iter()
        .map(|d| [d.address.to_owned(), type_name(d).to_owned(), range(d), default(d), midi(d), d.help.to_owned()])
        .collect();
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..5).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(out, "{cell:width$}  ");
        }
        let _ = writeln!(out, "{}", row[5]);
    }
    out
}

fn markdown(table: &Table) -> String {
    let mut out =
        "| address | type | range | default | MIDI | meaning |\n| --- | --- | --- | --- | --- | --- |\n".to_owned();
    for d in table.iter() {
        // The rows of a numbered thing are alike: one line for all.
        let of = |folder: &str| d.address.strip_prefix(folder).and_then(|rest| rest.split_once('/'));
        let numbered = [("/dir/", DIR_KNOBS), ("/bend/", BENDS)];
        let part = numbered.iter().find_map(|(folder, count)| Some((folder, count, of(folder)?)));
        let address = match part {
            Some((folder, count, ("0", part))) => format!("{folder}0/{part}` to `{folder}{}/{part}", count - 1),
            Some(_) => continue,
            None => d.address.to_owned(),
        };
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} | {} |",
            address,
            type_name(d),
            range(d),
            default(d),
            midi(d),
            d.help
        );
    }
    out
}

fn json(table: &Table) -> String {
    let rows: Vec<_> = table
        .iter()
        .map(|d| {
            let mut row = json!({ "address": d.address, "type": type_name(d), "help": d.help });
            match d.kind {
                Kind::Float { min, max, default } => {
                    row["range"] = json!({ "min": min, "max": max, "default": default })
                }
                Kind::Int { min, max, default } => row["range"] = json!({ "min": min, "max": max, "default": default }),
                Kind::Choice { options, default } => {
                    row["range"] = json!({ "options": options, "default": options[default] })
                }
                Kind::Bool { default } => row["range"] = json!({ "default": default }),
                Kind::Vector { max_len } => row["range"] = json!({ "max_len": max_len }),
                Kind::Text { .. } | Kind::Trigger => {}
            }
            if !d.unit.is_empty() {
                row["unit"] = json!(d.unit);
            }
            if d.count > 1 {
                row["count"] = json!(d.count);
            }
            if let Some(knob) = d.knob {
                row["midi_cc"] = json!([15 + knob, 69 + knob]);
            }
            row["scope"] = json!(match d.scope {
                Scope::Picture => "picture",
                Scope::Stage => "stage",
                Scope::Command => "command",
            });
            row["saved"] = json!(d.saving == Saving::Saved && d.kind != Kind::Trigger);
            row["quantized"] = json!(d.quantized);
            row["learnable"] = json!(d.learnable);
            row["remote"] = json!(match d.remote {
                Remote::Allowed => "allowed",
                Remote::NoFiles => "no files",
                Remote::Local => "local",
                Remote::Refused => "refused",
            });
            row["smoothing_secs"] = json!(d.smoothing_secs);
            row["curve"] = json!(if d.curve == Curve::Square { "square" } else { "linear" });
            row
        })
        .collect();
    // Plain JSON values always serialise.
    serde_json::to_string_pretty(&rows).unwrap_or_default() + "\n"
}
