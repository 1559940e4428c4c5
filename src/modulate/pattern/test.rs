use super::*;

/// The events of a cycle as `a 0-1/4`; those that began earlier with `*`.
fn events(text: &str, cycle: i64) -> String {
    let pattern = Pattern::parse(text).unwrap();
    let mut events = Vec::new();
    assert!(pattern.cycle(cycle, 0, &mut events), "{text}");
    let time = |t: Fraction| {
        let den = (1..=1000).find(|&d| t.times(Fraction::whole(d)).is_some_and(|x| Fraction::whole(x.floor()) == x));
        let den = den.unwrap();
        let num = t.times(Fraction::whole(den)).unwrap().floor();
        if den == 1 { num.to_string() } else { format!("{num}/{den}") }
    };
    let one = |event: &Event| {
        let value = match &pattern.values()[event.value] {
            Atom::Word(word) => word.clone(),
            Atom::Number(x) => x.to_string(),
        };
        let late = if event.is_onset() { "" } else { "*" };
        format!("{value}{late} {}-{}", time(event.whole[0]), time(event.whole[1]))
    };
    events.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Rows that were checked with Strudel's own implementation; the rotation is Tidal's.
#[test]
fn the_notation_plays_as_in_tidal() {
    let table = [
        ("a b [c d] ~", 0, "a 0-1/4, b 1/4-1/2, c 1/2-5/8, d 5/8-3/4"),
        ("<a b> <c d e>", 2, "a 2-5/2, e 5/2-3"),
        ("a*2 b/2", 0, "a 0-1/4, a 1/4-1/2, b 1/2-3/2"),
        ("a*2 b/2", 1, "a 1-5/4, a 5/4-3/2, b* 1-2"),
        ("a@1.5 b", 0, "a 0-3/5, b 3/5-1"),
        ("a _ _ b", 0, "a 0-3/4, b 3/4-1"),
        ("[a b]!2 c", 0, "a 0-1/6, b 1/6-1/3, a 1/3-1/2, b 1/2-2/3, c 2/3-1"),
        ("a(3,8)", 0, "a 0-1/8, a 3/8-1/2, a 3/4-7/8"),
        ("a(-3,8)", 0, "a 1/8-1/4, a 1/4-3/8, a 1/2-5/8, a 5/8-3/4, a 7/8-1"),
        ("a(5,8)", 0, "a 0-1/8, a 1/4-3/8, a 3/8-1/2, a 5/8-3/4, a 3/4-7/8"),
        ("a(3,8,2)", 0, "a 1/8-1/4, a 1/2-5/8, a 3/4-7/8"),
        ("{a b c}%4", 1, "b 1-5/4, c 5/4-3/2, a 3/2-7/4, b 7/4-2"),
        ("{a b c, d e}", 1, "a 1-4/3, e 1-4/3, b 4/3-5/3, d 4/3-5/3, c 5/3-2, e 5/3-2"),
        ("<a b>*3", 1, "b 1-4/3, a 4/3-5/3, b 5/3-2"),
        ("<a@3 b>", 2, "a* 0-3"),
        ("<a@3 b>", 3, "b 3-4"),
        ("<a b>(<3 5>,8)", 1, "b 1-9/8, b 5/4-11/8, b 11/8-3/2, b 13/8-7/4, b 7/4-15/8"),
        ("[a b]/1.5", 1, "b* 3/4-3/2, a 3/2-9/4"),
        ("67 8 [3 85] ~", 1, "67 1-5/4, 8 5/4-3/2, 3 3/2-13/8, 85 13/8-7/4"),
        ("0 .. 3", 0, "0 0-1/4, 1 1/4-1/2, 2 1/2-3/4, 3 3/4-1"),
        ("a!3 b", 0, "a 0-1/4, a 1/4-1/2, a 1/2-3/4, b 3/4-1"),
        ("a ! b", 0, "a 0-1/3, a 1/3-2/3, b 2/3-1"),
        ("a - b", 0, "a 0-1/3, b 2/3-1"),
        ("-1 2.5", 0, "-1 0-1/2, 2.5 1/2-1"),
        ("a , b b", 0, "a 0-1, b 0-1/2, b 1/2-1"),
        ("starry.night bits/ink-2", 0, "starry.night 0-1/2, bits/ink-2 1/2-1"),
        ("", 0, ""),
    ];
    for (text, cycle, expected) in table {
        assert_eq!(events(text, cycle), expected, "{text} in cycle {cycle}");
    }
}

#[test]
fn mistakes_name_their_place() {
    let table = [
        ("67 8 [3 85", "the pattern \"67 8 [3 85\" has its end at character 11; expected a closing ]"),
        ("a ]", "the pattern \"a ]\" has ']' at character 3; expected a step, or the end"),
        ("a*", "the pattern \"a*\" has its end at character 3; expected a number, <...> or [...]"),
        ("a*0", "the pattern \"a*0\": * / and % take numbers above 0"),
        ("a*-1", "the pattern \"a*-1\": * / and % take numbers above 0"),
        ("a@0", "the pattern \"a@0\": @ takes a number above 0"),
        ("a(9,8)", "the pattern \"a(9,8)\": a rhythm (k,n) has 1 to 256 steps and at most as many pulses"),
        ("a $", "the pattern \"a $\" has '$' at character 3; expected a number, a word, ~ or a bracket"),
        ("_", "the pattern \"_\" has its end at character 2; expected a step before _"),
        ("a*1000000", "the pattern has more than 4096 events in a cycle"),
        ("[[~ ~]*1000]*1000", "the pattern has more than 4096 events in a cycle"),
    ];
    for (text, expected) in table {
        assert_eq!(Pattern::parse(text).unwrap_err().to_string(), expected);
    }
    assert_eq!(Pattern::parse(&"[".repeat(100)), Err(PatternError::TooLong));
    assert_eq!(Pattern::parse(&"a ".repeat(4000)), Err(PatternError::TooLong));
}

#[test]
fn chance_depends_on_seed_and_cycle_alone() {
    let pattern = Pattern::parse("a? b?0.2 [c|d]").unwrap();
    let count = |seed: u64, word: &str| {
        let index = pattern.values().iter().position(|value| *value == Atom::Word(word.to_owned())).unwrap();
        let mut events = Vec::new();
        let mut played = 0;
        for cycle in 0..400 {
            pattern.cycle(cycle, seed, &mut events);
            played += events.iter().filter(|event| event.value == index).count();
        }
        played
    };
    for (word, expected) in [("a", 200), ("b", 320), ("c", 200), ("d", 200)] {
        assert!(count(7, word).abs_diff(expected) < 40, "{word}: {}", count(7, word));
    }
    assert_eq!(count(7, "a"), count(7, "a"));
    assert_ne!(count(7, "a"), count(8, "a"));
}
