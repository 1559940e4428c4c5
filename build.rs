//! Builds again when a file that ships is added or removed; cargo notices changed ones by itself. With the feature `torch`,
//! finds libtorch as torch-sys does, checks its version and lets programs find it when they start.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of PyTorch that tch 0.26 is made for.
const PYTORCH: &str = "2.13.0";

/// Prints the folder of the package torch and its version, without loading it.
const ASK_PYTHON: &str = "
import importlib.metadata, importlib.util
print(importlib.util.find_spec('torch').submodule_search_locations[0])
print(importlib.metadata.version('torch'))";

fn main() {
    println!("cargo::rerun-if-changed=presets");
    println!("cargo::rerun-if-changed=shaders/fx");
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_TORCH").is_some() {
        link_torch();
    }
}

/// A variable of the environment; the build runs again when it changes.
fn variable(name: &str) -> Option<String> {
    println!("cargo::rerun-if-env-changed={name}");
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Puts libtorch's folder into the run path of everything that is linked.
fn link_torch() {
    let system = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let (folder, version) = find(&system).unwrap_or_else(|found| refuse(&system, &found));
    let plain = version.split('+').next().unwrap_or_default();
    if plain != PYTORCH && variable("LIBTORCH_BYPASS_VERSION_CHECK").is_none() {
        refuse(&system, &format!("{version} in {}", folder.display()));
    }
    println!("cargo::rustc-env=LATENT_JOCKEY_LIBTORCH={version} in {}", folder.display());
    if matches!(system.as_str(), "linux" | "macos") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.display());
    }
    if system == "linux" {
        // Nothing of ours calls libtorch.so, which brings the part for CUDA.
        println!("cargo::rustc-link-arg=-L{}", folder.display());
        println!("cargo::rustc-link-arg=-Wl,--no-as-needed,-ltorch,--as-needed");
    }
}

/// The folder of libtorch's libraries and its version, or what was found instead.
fn find(system: &str) -> Result<(PathBuf, String), String> {
    if variable("LIBTORCH_USE_PYTORCH").is_some() {
        let python = match system {
            "windows" => "python.exe",
            _ if variable("VIRTUAL_ENV").is_some() => "python",
            _ => "python3",
        };
        let output = Command::new(python).args(["-c", ASK_PYTHON]).output();
        let output = output.map_err(|error| format!("no {python} ({error})"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut lines = text.lines();
        return match (lines.next(), lines.next()) {
            (Some(package), Some(version)) => Ok((Path::new(package).join("lib"), version.trim().to_owned())),
            _ => Err(format!("no package torch in {python}")),
        };
    }
    let root = variable("LIBTORCH").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from("/usr")).filter(|usr| usr.join("lib/libtorch.so").exists()));
    let Some(root) = root else { return Err("neither LIBTORCH nor LIBTORCH_USE_PYTORCH".to_owned()) };
    let folder = variable("LIBTORCH_LIB").map_or(root.clone(), PathBuf::from).join("lib");
    if !folder.is_dir() {
        return Err(format!("no folder {}", folder.display()));
    }
    // A folder without the file is taken at its word, as torch-sys takes it.
    let version = std::fs::read_to_string(root.join("build-version")).unwrap_or_else(|_| PYTORCH.to_owned());
    Ok((folder, version.trim().to_owned()))
}

/// Ends the build with one line that names both sides and the commands that mend it.
fn refuse(system: &str, found: &str) -> ! {
    let commands = match system {
        "windows" => format!(
            "py -m venv torch-venv; torch-venv\\Scripts\\activate; pip install torch=={PYTORCH} numpy; \
             set LIBTORCH_USE_PYTORCH=1; set PATH=%VIRTUAL_ENV%\\Lib\\site-packages\\torch\\lib;%PATH%"
        ),
        _ => format!(
            "python3 -m venv torch-venv && . torch-venv/bin/activate && pip install torch=={PYTORCH} numpy && \
             export LIBTORCH_USE_PYTORCH=1"
        ),
    };
    println!(
        "cargo::error=the feature torch expects PyTorch {PYTORCH}, found {found}; run: {commands} (docs/TORCH.md)"
    );
    std::process::exit(1);
}
