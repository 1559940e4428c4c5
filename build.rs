//! Builds again when a file that ships is added or removed; cargo notices changed ones by itself.

fn main() {
    println!("cargo::rerun-if-changed=presets");
    println!("cargo::rerun-if-changed=shaders/fx");
}
