//! Tests of the torch engine, one question per module: a crate of its own, so that building with the feature `torch` builds no
//! more. The fixtures' tests are those of the other engines.

mod common;

#[path = "it/fastgan_agrees_with_pytorch.rs"]
mod fastgan_agrees_with_pytorch;
#[path = "it/gradients_by_torch_are_slopes.rs"]
mod gradients_by_torch_are_slopes;
#[path = "it/networks_of_every_format_give_pytorchs_picture.rs"]
mod networks_of_every_format_give_pytorchs_picture;
#[path = "it/style_networks_on_the_cpu_agree_with_pytorch.rs"]
mod style_networks_on_the_cpu_agree_with_pytorch;
#[path = "it/the_torch_engine_agrees_with_the_cpu.rs"]
mod the_torch_engine_agrees_with_the_cpu;
#[path = "it/torchscript_modules_play.rs"]
mod torchscript_modules_play;
