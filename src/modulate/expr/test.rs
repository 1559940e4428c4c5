use super::*;
use crate::modulate::{Signals, Time};
use crate::params::{Id, Params};

fn run(expr: &Expr, beats: &[f64]) -> Vec<f64> {
    let mut program = Program::new(expr, 1).unwrap();
    let (signals, params) = (Signals::default(), Params::default());
    let (mut stack, mut last) = (Vec::new(), beats[0]);
    let frame = |&beat: &f64| {
        let time = Time { secs: beat, beat, dt: beat - last };
        last = beat;
        let value = program.step(&Frame { time, signals: &signals, params: &params }, &mut stack);
        (value * 1e6).round() / 1e6
    };
    beats.iter().map(frame).collect()
}

fn wave(wave: Wave, beats: f64) -> Expr {
    Expr::wave(wave, Expr::number(beats), 0.0, Some(3)).unwrap()
}

fn seq(text: &str, beats: f64) -> Expr {
    Expr::pattern(Pattern::parse(text).unwrap(), beats)
}

fn n(x: f64) -> Expr {
    Expr::number(x)
}

#[test]
fn expressions_have_their_values() {
    let sine = wave(Wave::Sine, 8.0);
    let table: [(&str, Expr, &[f64], &[f64]); 12] = [
        (
            "0.7 + 0.3 * sine(8)",
            Expr::binary(Binary::Add, &n(0.7), &Expr::binary(Binary::Mul, &n(0.3), &sine).unwrap()).unwrap(),
            &[0.0, 2.0, 4.0, 6.0],
            &[0.7, 1.0, 0.7, 0.4],
        ),
        ("range", sine.range(&n(3.0), &n(12.0)).unwrap(), &[0.0, 2.0, 6.0], &[7.5, 12.0, 3.0]),
        ("saw", wave(Wave::Saw, 4.0), &[0.0, 1.0, 3.0, 4.0], &[0.0, 0.25, 0.75, 0.0]),
        ("fast", sine.time(2.0, 0.0).unwrap(), &[0.0, 1.0, 3.0], &[0.0, 1.0, -1.0]),
        ("slow", sine.time(0.5, 0.0).unwrap(), &[0.0, 4.0, 12.0], &[0.0, 1.0, -1.0]),
        ("delay", sine.time(1.0, 1.0).unwrap(), &[1.0, 3.0, 7.0], &[0.0, 1.0, -1.0]),
        ("fast of delay", sine.time(1.0, 1.0).unwrap().time(2.0, 0.0).unwrap(), &[0.5, 1.5], &[0.0, 1.0]),
        ("quantize", wave(Wave::Saw, 4.0).quantize(0.5).unwrap(), &[0.0, 0.9, 1.1, 3.9], &[0.0, 0.0, 0.5, 1.0]),
        ("clip", sine.clip(-0.5, 0.5).unwrap(), &[0.0, 2.0, 6.0], &[0.0, 0.5, -0.5]),
        ("seq", seq("67 8 [3 85] ~", 4.0), &[0.0, 1.0, 2.0, 2.5, 3.0, 4.0], &[67.0, 8.0, 3.0, 85.0, 85.0, 67.0]),
        ("seq:fast", seq("1 2", 4.0).time(2.0, 0.0).unwrap(), &[0.0, 1.0, 2.0], &[1.0, 2.0, 1.0]),
        ("2 ^ square", Expr::binary(Binary::Pow, &n(2.0), &wave(Wave::Square, 2.0)).unwrap(), &[0.0, 1.0], &[2.0, 1.0]),
    ];
    for (name, expr, beats, expected) in table {
        assert_eq!(run(&expr, beats), expected, "{name}");
    }
}

#[test]
fn numbers_fold_and_intervals_follow() {
    let psi = Expr::param(Id::Psi.into());
    let sum = Expr::binary(Binary::Add, &psi, &n(0.1)).unwrap();
    assert_eq!(sum.interval(), [-0.9, 2.1]);
    assert_eq!(sum.with_now(Id::Psi.into(), 0.7).unwrap().as_number(), Some(0.7 + 0.1));
    assert_eq!(sum.with_now(Id::WalkSpeed.into(), 0.7).unwrap().as_number(), None);
    let sine = wave(Wave::Sine, 1.0);
    let interval = |op, a: &Expr, b: &Expr| Expr::binary(op, a, b).unwrap().interval();
    assert_eq!(interval(Binary::Mul, &sine, &n(-3.0)), [-3.0, 3.0]);
    assert_eq!(interval(Binary::Pow, &sine, &n(2.0)), [0.0, 1.0]);
    assert_eq!(Expr::unary(Unary::Abs, &sine).unwrap().interval(), [0.0, 1.0]);
    assert_eq!(seq("3 -1 7", 1.0).interval(), [-1.0, 7.0]);
}

#[test]
fn an_expression_cannot_grow_without_end() {
    let mut expr = wave(Wave::Sine, 1.0);
    let grown = (0..60).try_for_each(|_| {
        expr = Expr::binary(Binary::Add, &expr, &expr)?;
        Ok(())
    });
    assert_eq!(grown, Err(ExprError::TooLarge));
}

#[test]
fn words_need_numbers() {
    let words = seq("loop line", 4.0);
    assert!(matches!(Program::new(&words, 0), Err(ExprError::Word { word }) if word == "loop"));
    let numbered = words.with_words(&mut |word| Some(if word == "loop" { 2.0 } else { 3.0 })).unwrap();
    assert_eq!(run(&numbered, &[0.0, 2.0]), [2.0, 3.0]);
    assert_eq!(run(&words.with_positions().unwrap(), &[0.0, 2.0]), [0.0, 1.0]);
}

#[test]
fn smoothing_and_envelopes_follow_in_seconds() {
    let step = wave(Wave::Square, 100.0).time(1.0, 50.0).unwrap();
    let beats: Vec<f64> = (0..=60).map(f64::from).collect();
    let smooth = run(&step.smooth(2.0).unwrap(), &beats);
    assert_eq!(smooth[49], 0.0);
    assert!((smooth[52] - (1.0 - (-1.5f64).exp())).abs() < 1e-6, "{}", smooth[52]);
    let beats: Vec<f64> = (0..800).map(|i| f64::from(i) / 100.0).collect();
    let env = run(&seq("1 ~ 0.5 ~", 8.0).env(0.1, 1.0).unwrap(), &beats);
    assert!((env[9] - 1.0).abs() < 0.11 && env[50] < 0.35 && env[110] < 0.06, "{} {} {}", env[9], env[50], env[110]);
    assert!(env[399] < 0.01 && (env[412] - 0.5).abs() < 0.06, "{} {}", env[399], env[412]);
}

#[test]
fn what_comes_from_outside_can_be_late() {
    let id = SignalId::intern("expr-test.kick").unwrap();
    let mut program = Program::new(&Expr::signal(id).time(1.0, 1.0).unwrap(), 0).unwrap();
    let (mut signals, params, mut stack) = (Signals::default(), Params::default(), Vec::new());
    let mut heard = Vec::new();
    for i in 0..40 {
        let beat = f64::from(i) / 8.0;
        signals.set(id, if i >= 16 { 1.0 } else { 0.0 });
        let time = Time { secs: beat, beat, dt: 0.1 };
        heard.push(program.step(&Frame { time, signals: &signals, params: &params }, &mut stack));
    }
    assert_eq!((heard[16], heard[23], heard[24], heard[39]), (0.0, 0.0, 1.0, 1.0));
}

#[test]
fn random_waves_differ_by_salt_and_repeat() {
    let noise = Expr::wave(Wave::SampleHold, Expr::number(1.0), 0.0, None).unwrap();
    let at = |salt| {
        let mut program = Program::new(&noise, salt).unwrap();
        let time = Time { secs: 0.0, beat: 5.5, dt: 0.0 };
        program.step(&Frame { time, signals: &Signals::default(), params: &Params::default() }, &mut Vec::new())
    };
    assert_eq!(at(1), at(1));
    assert_ne!(at(1), at(2));
}
