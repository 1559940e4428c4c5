//! A TorchScript module: a whole network as one operation. Only the torch engine runs it.

use std::path::PathBuf;
use std::sync::Arc;

use super::{BufferId, Op, Picture, Plan};

/// One argument of a module's `forward`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// z, `[1, z_dim]`; `[1, z_dim, 1, 1]` if it is a map.
    Z { is_map: bool },
    /// c, `[1, c_dim]`, one-hot or a blend.
    Class,
    /// ψ, a number, or a tensor with one.
    Psi { is_tensor: bool },
    /// A picture, `[1, C, H, W]`.
    Picture,
    /// `[knobs]`; `[1, knobs]` if it has a batch.
    Knobs { has_batch: bool },
}

/// Where the numbers of a module's pictures lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    /// −1..1
    #[default]
    Signed,
    /// 0..1
    Unit,
    /// 0..255
    Bytes,
}

impl Range {
    /// The range that the smallest and the largest number of some pictures suggest.
    pub fn of(least: f32, most: f32) -> Range {
        match (least, most) {
            (least, most) if least >= -0.5 && most > 8.0 => Range::Bytes,
            (least, _) if least >= -0.01 => Range::Unit,
            _ => Range::Signed,
        }
    }

    /// Gain and offset that lead to −1..1.
    pub fn to_signed(self) -> [f64; 2] {
        match self {
            Range::Signed => [1.0, 0.0],
            Range::Unit => [2.0, -1.0],
            Range::Bytes => [2.0 / 255.0, -1.0],
        }
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Range::Signed => "-1..1",
            Range::Unit => "0..1",
            Range::Bytes => "0..255",
        })
    }
}

/// What a module was found to take and to give.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    /// It is read again whenever a program is prepared.
    pub file: PathBuf,
    /// `forward`, as the file declares it.
    pub declaration: String,
    pub arguments: Vec<Argument>,
    /// 0 for an effect.
    pub z_dim: usize,
    pub c_dim: usize,
    /// Of an effect.
    pub knobs: usize,
    /// Channels of the picture that an effect takes: 3 or 1.
    pub takes: usize,
    /// The only height and width that an effect takes, if it is so particular.
    pub side: Option<usize>,
    /// Channels, height and width of a generator's picture. Of an effect: its channels, and by how much it enlarges height and
    /// width.
    pub gives: [usize; 3],
    pub range: Range,
    pub parameters: usize,
}

/// `out = script(ws, input)`: ws is `[z, c, ψ]`, as far as the script takes them, or an effect's knobs.
#[derive(Clone, Debug)]
pub struct Module {
    pub out: BufferId,
    /// The picture that an effect takes.
    pub input: Option<BufferId>,
    pub script: Arc<Script>,
}

impl Script {
    /// Whether it makes pictures of pictures.
    pub fn is_effect(&self) -> bool {
        self.arguments.contains(&Argument::Picture)
    }

    /// Whether it truncates by itself.
    pub fn takes_psi(&self) -> bool {
        self.arguments.iter().any(|argument| matches!(argument, Argument::Psi { .. }))
    }

    /// Numbers that it reads from ws.
    pub fn w_dim(&self) -> usize {
        if self.is_effect() { self.knobs } else { self.z_dim + self.c_dim + usize::from(self.takes_psi()) }
    }

    /// The arguments in words: `z [1, 512], psi`.
    pub fn words(&self) -> String {
        let word = |argument: &Argument| match argument {
            Argument::Z { is_map: false } => format!("z [1, {}]", self.z_dim),
            Argument::Z { is_map: true } => format!("z [1, {}, 1, 1]", self.z_dim),
            Argument::Class => format!("class [1, {}]", self.c_dim),
            Argument::Psi { .. } => "psi".to_owned(),
            Argument::Picture => match self.side {
                Some(side) => format!("picture [1, {}, {side}, {side}]", self.takes),
                None => format!("picture [1, {}, H, W]", self.takes),
            },
            Argument::Knobs { .. } => format!("{} knobs", self.knobs),
        };
        self.arguments.iter().map(word).collect::<Vec<_>>().join(", ")
    }

    /// The picture that it gives, in words.
    pub fn gives_words(&self) -> String {
        let [channels, height, width] = self.gives;
        match (self.is_effect(), height, width) {
            (false, ..) => format!("picture [1, {channels}, {height}, {width}]"),
            (true, 1, 1) => format!("picture [1, {channels}, H, W]"),
            (true, y, x) => format!("picture [1, {channels}, {y}H, {x}W]"),
        }
    }

    /// The plan of a generator.
    pub fn generator(self: &Arc<Script>, name: &str) -> Plan {
        let [channels, height, width] = self.gives;
        let mut plan = Plan { name: name.to_owned(), num_ws: 1, w_dim: self.w_dim(), ..Plan::default() };
        let out = plan.buffer("picture", channels, height, width);
        plan.push("forward", Op::Module(Module { out, input: None, script: self.clone() }));
        plan.output = Some(out);
        plan
    }

    /// The plan of an effect on pictures of that size; its knobs are the ws.
    pub fn effect(self: &Arc<Script>, name: &str, [height, width]: [usize; 2]) -> Plan {
        let [channels, y, x] = self.gives;
        let (num_ws, w_dim) = (usize::from(self.knobs > 0), self.knobs);
        let mut plan = Plan { name: name.to_owned(), num_ws, w_dim, ..Plan::default() };
        let picture = plan.buffer("content", self.takes, height, width);
        plan.push("content", Op::Picture(Picture { out: picture, gain: 1.0, offset: 0.0 }));
        let out = plan.buffer("picture", channels, height * y, width * x);
        plan.push("forward", Op::Module(Module { out, input: Some(picture), script: self.clone() }));
        plan.output = Some(out);
        plan
    }
}

impl Plan {
    /// Whether only the torch engine can run it.
    pub fn has_module(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.op, Op::Module(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_guessed_from_its_ends() {
        for (least, most, expected) in [
            (-1.0, 1.0, Range::Signed),
            (-3.0, 2.0, Range::Signed),
            (0.0, 1.0, Range::Unit),
            (0.2, 0.7, Range::Unit),
            (0.0, 255.0, Range::Bytes),
            (-0.3, 0.9, Range::Signed),
        ] {
            assert_eq!(Range::of(least, most), expected, "{least} to {most}");
        }
    }
}
