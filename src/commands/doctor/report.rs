//! What stands around the checks when they are meant for others: which program this is and where it runs, without what tells
//! whose machine it is.

use std::path::Path;
use std::process::Command;

use crate::engine::gpu::Adapter;

/// The variables that change what the checks find begin with one of these.
const VARIABLES: [&str; 6] = ["LATENT_JOCKEY_", "LIBTORCH", "WGPU_", "RUST_LOG", "VK_", "WINIT_"];

/// The lines above the checks: program, system, session, drivers, variables.
pub fn head(adapters: &[Adapter]) -> Vec<String> {
    let drivers = adapters.iter().filter(|adapter| !adapter.driver.is_empty());
    let drivers: Vec<String> = drivers.map(|adapter| format!("{}: {}", adapter.name, adapter.driver)).collect();
    let set = std::env::vars().filter(|(name, _)| VARIABLES.iter().any(|start| name.starts_with(start)));
    let mut set: Vec<String> = set.map(|(name, value)| format!("{name}={value}")).collect();
    set.sort();
    let lines = [
        ("program", Some(program())),
        ("system", Some(system())),
        ("session", session()),
        ("drivers", (!drivers.is_empty()).then(|| drivers.join("; "))),
        ("set", (!set.is_empty()).then(|| set.join(" "))),
    ];
    lines.into_iter().filter_map(|(name, line)| Some(format!("    {name:<10} {}", line?))).collect()
}

fn program() -> String {
    let features = [
        ("window", cfg!(feature = "window")),
        ("luau", cfg!(feature = "luau")),
        ("link", cfg!(feature = "link")),
        ("jack", cfg!(feature = "jack")),
        ("torch", cfg!(feature = "torch")),
    ];
    let features: Vec<&str> = features.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
    format!("latent-jockey {} ({build} build, features: {features})", env!("CARGO_PKG_VERSION"))
}

/// Name and version of the operating system, kernel and architecture, as far as they can be told.
fn system() -> String {
    let name = match std::env::consts::OS {
        "linux" => std::fs::read_to_string("/etc/os-release").ok().and_then(|text| pretty_name(&text)),
        "macos" => said("sw_vers", &["-productVersion"]).map(|version| format!("macOS {version}")),
        "windows" => said("cmd", &["/c", "ver"]),
        _ => None,
    };
    let kernel = if cfg!(unix) { said("uname", &["-sr"]) } else { None };
    let parts =
        [name.or_else(|| Some(std::env::consts::OS.to_owned())), kernel, Some(std::env::consts::ARCH.to_owned())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What a program prints, on one line; `None` if it cannot be asked.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!line.is_empty()).then_some(line)
}

/// The name in a file `os-release`, such as `Debian GNU/Linux 13 (trixie)`.
fn pretty_name(release: &str) -> Option<String> {
    let value = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches('"').to_owned()).filter(|name| !name.is_empty())
}

/// Which desktop a Linux session runs, and by which protocol.
fn session() -> Option<String> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let parts = [set("XDG_SESSION_TYPE"), set("XDG_CURRENT_DESKTOP")];
    let line = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    (!line.is_empty()).then_some(line)
}

/// The line with `~` for the home folder, and with `USER` for its owner in other paths, such as `/media/USER/stick`.
pub fn without_owner(line: &str, home: Option<&Path>) -> String {
    let Some((home, owner)) = home.and_then(|home| Some((home.to_str()?, home.file_name()?.to_str()?))) else {
        return line.to_owned();
    };
    let mut rest = line.replace(home, "~");
    let mut shown = String::new();
    while let Some(at) = rest.find(owner) {
        let end = at + owner.len();
        let is_part = rest[..at].ends_with(['/', '\\'])
            && !rest[end..].starts_with(|next: char| next.is_alphanumeric() || matches!(next, '-' | '_'));
        shown.push_str(&rest[..at]);
        shown.push_str(if is_part { "USER" } else { owner });
        rest.drain(..end);
    }
    shown + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_no_owner() {
        for (line, home, expected) in [
            ("yours in /home/ada/.config/lj, then", "/home/ada", "yours in ~/.config/lj, then"),
            ("/home/ada and /home/ada/", "/home/ada", "~ and ~/"),
            ("on /run/media/ada/stick, /media/ada", "/home/ada", "on /run/media/USER/stick, /media/USER"),
            ("a Canada radar, /mnt/adapter, x/adada/y", "/home/ada", "a Canada radar, /mnt/adapter, x/adada/y"),
            (r"C:\Users\Ada L\x and D:\Ada L\y", r"C:/Users/Ada L", r"C:\Users\USER\x and D:\USER\y"),
            ("/a/b", "/", "/a/b"),
            ("/é/ö/ü", "/home/ö", "/é/USER/ü"),
        ] {
            assert_eq!(without_owner(line, Some(Path::new(home))), expected, "{line}");
        }
        assert_eq!(without_owner("/home/ada", None), "/home/ada");
    }

    #[test]
    fn a_system_tells_its_name() {
        let release = "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nID=debian\n";
        assert_eq!(pretty_name(release).as_deref(), Some("Debian GNU/Linux 13 (trixie)"));
        assert_eq!((pretty_name("PRETTY_NAME=\n"), pretty_name("NAME=x")), (None, None));
        assert!(system().contains(std::env::consts::ARCH) && program().contains(env!("CARGO_PKG_VERSION")));
    }
}
