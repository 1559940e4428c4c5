//! `completions`: the script by which a shell completes this command line.

use clap::{Arg, Command};
use clap_complete::Shell;

const NAME: &str = env!("CARGO_PKG_NAME");

#[derive(Debug, clap::Args)]
pub struct Options {
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script for a shell; `program` is the whole command line.
pub fn run(options: &Options, program: Command) {
    report!("{}", script(options.shell, program).trim_end());
}

/// The script for a shell, without hidden commands.
pub fn script(shell: Shell, program: Command) -> String {
    // clap_complete offers hidden commands too.
    let shown: Vec<Command> = program.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    let arguments: Vec<Arg> = program.get_arguments().cloned().collect();
    let mut program = Command::new(NAME).version(env!("CARGO_PKG_VERSION")).args(arguments).subcommands(shown);
    // Written to memory: clap_complete panics where writing fails.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, NAME, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
