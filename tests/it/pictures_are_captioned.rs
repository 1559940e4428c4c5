//! Does `caption` say what pictures show, name the broken ones, and leave alone what people have written?

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::common::fixture;

fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("latent-jockey-caption-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    for name in ["melon.png", "venus.png"] {
        fs::copy(fixture(&format!("caption/{name}")), folder.join(name)).expect("a copy");
    }
    folder
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[test]
fn rows_are_added_for_what_is_new_and_kept_for_what_is_there() {
    let folder = folder();
    let table = folder.join("captions.csv");
    let caption = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latent-jockey"));
        command.arg("caption").arg(&folder).arg("--out").arg(&table).output().expect("it runs")
    };
    let first = caption();
    assert!(first.status.success() && told(&first).contains("2 captions"), "{}", told(&first));
    let text = fs::read_to_string(&table).expect("a table");
    let rows: Vec<&str> = text.lines().collect();
    assert!(rows[1].starts_with("melon.png,a photo of galia melon,-0.647"), "{text}");
    assert!(rows[2].starts_with("venus.png,the birth of venus by sandro botticelli,-0.947"), "{text}");
    // What a person writes stays, and a broken picture costs one line.
    let typed = text.replace("a photo of galia melon", "lunch");
    fs::write(&table, &typed).expect("the table");
    fs::write(folder.join("broken.png"), b"no picture").expect("a file");
    fs::copy(fixture("caption/heart.png"), folder.join("heart.png")).expect("a copy");
    let second = caption();
    let line = told(&second);
    assert!(!second.status.success() && line.contains("broken.png") && line.contains("1 captions, 2 kept"), "{line}");
    let text = fs::read_to_string(&table).expect("a table");
    let added = text.strip_prefix(&typed).unwrap_or_else(|| panic!("rows were changed: {text}"));
    assert!(added.starts_with("heart.png,an emoji of green heart,") && added.lines().count() == 1, "{added}");
    fs::remove_dir_all(&folder).expect("the folder");
}
