//! `captions.csv`: what pictures are called, by the captioner and by people.
//!
//! One row for a picture, with a first row of names: `file`, `caption`, `log_probability`, `mean_log_probability` and `guess`
//! (`yes` or empty). People type over captions: a row that is there is never changed, new ones are added behind it. Spreadsheets
//! may have changed the order of the columns, left some out or added their own, and separated them by semicolons or tabs.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use super::Caption;
use crate::file::{Opened, text};

/// The name of the file in a folder of pictures.
pub const NAME: &str = "captions.csv";

/// The columns that a new table has.
const COLUMNS: [&str; 5] = ["file", "caption", "log_probability", "mean_log_probability", "guess"];

/// Why a table cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("cannot read {}: {source}", file.display())]
    Read { file: PathBuf, source: text::TextError },
    #[error("{}: expected columns named file and caption in the first line, found {found}", file.display())]
    Columns { file: PathBuf, found: String },
    #[error("{}: {source}", file.display())]
    Csv { file: PathBuf, source: csv::Error },
    #[error("{} is UTF-16; save it as CSV in UTF-8, so that rows can be added", file.display())]
    Wide { file: PathBuf },
    #[error("cannot write {}: {source}", file.display())]
    Write { file: PathBuf, source: io::Error },
}

/// What a picture is called.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub caption: String,
    /// Whether it is marked as a guess.
    pub is_guess: bool,
}

impl Row {
    /// The caption as an audience sees it: a guess has a question mark.
    pub fn shown(&self) -> String {
        format!("{}{}", self.caption, if self.is_guess { "?" } else { "" })
    }
}

/// A table and its file.
#[derive(Debug)]
pub struct Table {
    file: PathBuf,
    /// The folder that paths in it start from.
    folder: PathBuf,
    delimiter: u8,
    columns: Vec<String>,
    rows: HashMap<String, Row>,
    /// What the file needs before another row: its first line, or the end of its last one.
    missing: Missing,
    /// Whether it is in UTF-16: read, but never added to.
    is_wide: bool,
    open: Option<File>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Head,
    LineEnd,
    Nothing,
}

impl Table {
    /// Reads a table; one that does not exist has no rows yet. Nothing is written before the first [`Table::add`].
    ///
    /// # Errors
    /// When it is there and cannot be read, or is no such table.
    pub fn open(file: &Path) -> Result<Table, TableError> {
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut table = Table {
            file: file.to_owned(),
            folder: std::path::absolute(parent).unwrap_or_else(|_| parent.to_owned()),
            delimiter: b',',
            columns: COLUMNS.map(str::to_owned).to_vec(),
            rows: HashMap::new(),
            missing: Missing::Head,
            is_wide: false,
            open: None,
        };
        if !file.exists() {
            return Ok(table);
        }
        let text = text::read(file).map_err(|source| TableError::Read { file: file.to_owned(), source })?;
        let head =
            Opened::new(file, 2).map_err(|source| TableError::Read { file: file.to_owned(), source: source.into() })?;
        table.is_wide = head.head().starts_with(&[0xff, 0xfe]) || head.head().starts_with(&[0xfe, 0xff]);
        let text = text.trim_start_matches('\u{feff}');
        if text.trim().is_empty() {
            return Ok(table);
        }
        table.missing = if text.ends_with('\n') { Missing::Nothing } else { Missing::LineEnd };
        let head = text.lines().next().unwrap_or_default();
        table.delimiter = [b';', b'\t', b','].into_iter().find(|c| head.as_bytes().contains(c)).unwrap_or(b',');
        // Rows that people have typed may be shorter or longer than the first.
        let mut reader =
            csv::ReaderBuilder::new().delimiter(table.delimiter).flexible(true).from_reader(text.as_bytes());
        let wrong = |source| TableError::Csv { file: file.to_owned(), source };
        table.columns = reader.headers().map_err(wrong)?.iter().map(|name| name.trim().to_lowercase()).collect();
        let column = |name: &str| table.columns.iter().position(|column| column == name);
        let (Some(named), Some(caption)) = (column("file"), column("caption")) else {
            return Err(TableError::Columns { file: file.to_owned(), found: table.columns.join(", ") });
        };
        let guess = column("guess");
        for record in reader.records() {
            let record = record.map_err(wrong)?;
            let cell = |at: usize| record.get(at).unwrap_or_default().trim();
            if cell(named).is_empty() {
                continue;
            }
            let is_guess = guess.is_some_and(|at| ["yes", "true", "1"].contains(&cell(at).to_lowercase().as_str()));
            // Of two rows for a picture the first is meant.
            let row = Row { caption: cell(caption).to_owned(), is_guess };
            table.rows.entry(cell(named).replace('\\', "/")).or_insert(row);
        }
        Ok(table)
    }

    /// What the table says of a picture.
    pub fn get(&self, picture: &Path) -> Option<&Row> {
        self.rows.get(&self.name(picture))
    }

    /// Adds a row at the end and writes it at once. A picture that has a row keeps that.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, picture: &Path, caption: &Caption) -> Result<(), TableError> {
        let name = self.name(picture);
        if self.rows.contains_key(&name) {
            return Ok(());
        }
        if self.is_wide {
            return Err(TableError::Wide { file: self.file.clone() });
        }
        let is_guess = caption.is_guess();
        let cell = |column: &String| match column.as_str() {
            "file" => Cow::from(&name),
            "caption" => Cow::from(&caption.text),
            "log_probability" => format!("{:.4}", caption.log_probability).into(),
            "mean_log_probability" => format!("{:.4}", caption.mean).into(),
            "guess" if is_guess => "yes".into(),
            _ => "".into(),
        };
        let row: Vec<Cow<str>> = self.columns.iter().map(cell).collect();
        let wrong = |source: csv::Error| TableError::Csv { file: self.file.clone(), source };
        let mut writer = csv::WriterBuilder::new().delimiter(self.delimiter).from_writer(Vec::new());
        if self.missing == Missing::Head {
            writer.write_record(&self.columns).map_err(wrong)?;
        }
        writer.write_record(row.iter().map(|cell| cell.as_bytes())).map_err(wrong)?;
        let mut bytes = writer.into_inner().map_err(|error| wrong(error.into_error().into()))?;
        if self.missing == Missing::LineEnd {
            bytes.insert(0, b'\n');
        }
        self.append(&bytes).map_err(|source| TableError::Write { file: self.file.clone(), source })?;
        self.missing = Missing::Nothing;
        self.rows.insert(name, Row { caption: caption.text.clone(), is_guess });
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.open {
            Some(file) => file,
            none => none.insert(OpenOptions::new().create(true).append(true).open(&self.file)?),
        };
        file.write_all(bytes)
    }

    /// A picture's name in the table: from the table's folder if it lies there, with forward slashes.
    fn name(&self, picture: &Path) -> String {
        let path = std::path::absolute(picture).unwrap_or_else(|_| picture.to_owned());
        let path = path.strip_prefix(&self.folder).unwrap_or(&path);
        let has_root = path.has_root();
        let parts = path.components().filter_map(|part| match part {
            Component::RootDir | Component::CurDir => None,
            part => Some(part.as_os_str().to_string_lossy()),
        });
        let joined = parts.collect::<Vec<_>>().join("/");
        if has_root && !cfg!(windows) { format!("/{joined}") } else { joined }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("latent-jockey-captions-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn caption(text: &str, mean: f64) -> Caption {
        Caption { text: text.to_owned(), log_probability: mean * 4.0, mean }
    }

    #[test]
    fn rows_are_added_and_found_again() {
        let folder = folder("added");
        let file = folder.join(NAME);
        let mut table = Table::open(&file).unwrap();
        assert!(!file.exists());
        table.add(&folder.join("a.png"), &caption("a rose, red", -0.25)).unwrap();
        table.add(&folder.join("deep/b, c.png"), &caption("an emoji", -0.75)).unwrap();
        table.add(Path::new("/elsewhere/c.png"), &caption("c", -0.1)).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let rows = [
            "file,caption,log_probability,mean_log_probability,guess",
            "a.png,\"a rose, red\",-1.0000,-0.2500,",
            "\"deep/b, c.png\",an emoji,-3.0000,-0.7500,yes",
        ];
        assert!(text.starts_with(&format!("{}\n", rows.join("\n"))), "{text}");
        let again = Table::open(&file).unwrap();
        for (picture, expected, is_guess) in [
            (folder.join("a.png"), "a rose, red", false),
            (folder.join("./deep/b, c.png"), "an emoji", true),
            ("/elsewhere/c.png".into(), "c", false),
        ] {
            assert_eq!(again.get(&picture), Some(&Row { caption: expected.to_owned(), is_guess }), "{picture:?}");
        }
        assert_eq!(again.get(&folder.join("b.png")), None);
    }

    #[test]
    fn what_was_typed_stays_byte_for_byte_and_new_rows_follow_its_columns() {
        let folder = folder("typed");
        let file = folder.join(NAME);
        // As a spreadsheet may leave it, without the end of the last line.
        let typed = "\u{feff}Caption;Notes;File\r\n\"My; garden\";keep;a.png\r\nsecond;;a.png\r\n;;b.png";
        std::fs::write(&file, typed).unwrap();
        let mut table = Table::open(&file).unwrap();
        let row = |caption: &str| Some(Row { caption: caption.to_owned(), is_guess: false });
        assert_eq!(table.get(&folder.join("a.png")).cloned(), row("My; garden"));
        assert_eq!(table.get(&folder.join("b.png")).cloned(), row(""));
        table.add(&folder.join("a.png"), &caption("a machine's", -0.1)).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), typed);
        table.add(&folder.join("c.png"), &caption("new", -0.9)).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{typed}\nnew;;c.png\n"));
    }

    #[test]
    fn a_table_in_utf_16_is_read_and_never_broken() {
        let folder = folder("wide");
        let file = folder.join(NAME);
        let units = "\u{feff}file\tcaption\r\na.png\tEin Gänseblümchen\r\n".encode_utf16();
        let bytes: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
        std::fs::write(&file, &bytes).unwrap();
        let mut table = Table::open(&file).unwrap();
        assert_eq!(table.get(&folder.join("a.png")).unwrap().caption, "Ein Gänseblümchen");
        let line = table.add(&folder.join("b.png"), &caption("b", -0.1)).unwrap_err().to_string();
        assert!(line.contains("UTF-16") && std::fs::read(&file).unwrap() == bytes, "{line}");
    }

    #[test]
    fn what_is_no_table_is_named_and_left_alone() {
        let folder = folder("other");
        let file = folder.join(NAME);
        for text in ["name,text\na,b\n", "\u{1}\u{2}"] {
            std::fs::write(&file, text).unwrap();
            let line = Table::open(&file).unwrap_err().to_string();
            assert!(line.contains("captions.csv") && line.contains("file and caption"), "{line}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
        std::fs::write(&file, [b'f', 0xff, 0xfe]).unwrap();
        assert!(Table::open(&file).is_err());
    }
}
