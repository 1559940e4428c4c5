use super::*;
use crate::params::Def;

const ROWS: [Def; 8] = [
    Def::int("/fx/kaleido/sides", 1, 24, 6),
    Def::float("/fx/echo/delay", 0.0, 4.0, 1.0),
    Def::float("/warp/1/amount", -1.0, 1.0, 0.0),
    Def::float("/warp/2/amount", -1.0, 1.0, 0.0),
    Def::float("/fx/film-grain/size", 0.0, 1.0, 0.0),
    Def::float("/fx/end/size", 0.0, 1.0, 0.0),
    Def::choice("/fx/mask/shape", &["round", "square"], 0),
    Def::boolean("/fx/mask/on", false),
];

/// A show in small: parameters, time, and what the script writes.
struct Rig {
    script: Script,
    params: Params,
    signals: Signals,
    time: Time,
    written: Vec<String>,
    faults: Vec<String>,
}

impl Rig {
    fn new() -> Rig {
        let mut params = Params::default();
        params.add(&ROWS).unwrap();
        params.set_text(Id::StyleNetwork, "painters");
        let mut script = Script::new(1).unwrap();
        script.surround(|around| {
            around.styles = ["starry night", "ink", "fog"].map(str::to_owned).into();
            around.styles_of = "painters".to_owned();
            around.z_dim = 4;
            around.w_dim = 4;
            around.z_of = |seed, dim| (0..dim).map(|i| seed as f32 + i as f32).collect();
        });
        let (signals, time) = (Signals::default(), Time { secs: 0.0, beat: 0.0, dt: 0.0 });
        Rig { script, params, signals, time, written: Vec::new(), faults: Vec::new() }
    }

    fn eval_as(&mut self, chunk: &Chunk) -> Result<(), String> {
        let result = self.script.evaluate(chunk, &mut self.params, self.time).map_err(|error| error.to_string());
        self.apply();
        result
    }

    /// A line or block on its own.
    fn line(&mut self, text: &str) -> Result<(), String> {
        self.eval_as(&Chunk { file: "live", text, line: 1, is_whole: false })
    }

    fn file(&mut self, text: &str) -> Result<(), String> {
        self.eval_as(&Chunk { file: "drift.luau", text, line: 1, is_whole: true })
    }

    fn ok(&mut self, text: &str) {
        if let Err(error) = self.line(text) {
            panic!("{text}: {error}");
        }
    }

    /// Like the show: what is written is written.
    fn apply(&mut self) {
        for (target, value) in self.script.drain_writes().collect::<Vec<_>>() {
            self.written.push(format!("{target} {value}"));
            self.params.write(target, &value).unwrap();
        }
        self.params.settle();
        self.faults.extend(self.script.drain_faults().map(|fault| fault.to_string()));
    }

    /// Plays up to a beat, in steps of a sixteenth.
    fn play_to(&mut self, beat: f64) {
        while self.time.beat < beat {
            self.step(1.0 / 16.0);
        }
    }

    fn step(&mut self, beats: f64) {
        self.time.beat += beats;
        self.time.secs += beats / 2.0;
        self.time.dt = beats / 2.0;
        self.frame();
    }

    fn frame(&mut self) {
        self.script.call(&mut self.params, self.time, &self.signals);
        self.apply();
        let frame = Frame { time: self.time, signals: &self.signals, params: &self.params };
        let values = self.script.step(&frame).values().to_vec();
        self.params.bind(&values);
        self.apply();
    }

    fn get(&self, address: &str) -> f64 {
        (self.params.get(self.params.table().resolve(address).unwrap()) * 1e6).round() / 1e6
    }

    fn word(&self, address: &str) -> String {
        let value = self.params.effective(self.params.table().resolve(address).unwrap());
        value.map(|value| value.to_string().trim_matches('"').to_owned()).unwrap_or_default()
    }

    fn hear(&mut self, heard: &Heard) {
        if let (_, Some((id, value))) = self.script.hear(heard) {
            self.signals.set(id, value);
        }
    }
}

/// Every line of the instrument's introduction to live code.
const INTRODUCTION: &str = r#"
psi = 0.7 + 0.3 * sine(8)            -- an expression of signals
walk.speed = lfo("tri", 1/4):range(0.1, 2):smooth(0.2)
seed = seq("67 8 [3 85] ~", 4)       -- a mini-notation as Tidal's
fx.kaleido.sides = bass:range(3, 12) -- audio bands, knobs, OSC values are signals too
every(16, function() walk.kind = pick("loop", "line") end)
on("/foo", function(x) fx.add("trails") end)   -- OSC, note(36), beat, key
style.a = names("starry ink", 16)            -- styles, presets, networks, classes by name
map("cc 21", walk.speed, 0, 2)               -- a mapping is a line too
at(32, function() preset("vortex", {fade = 8}) end)   -- a cue, in beats
hush()                                       -- all modulation off
function frame(t, beat) z[3] = math.sin(t) end -- and plain code per frame for those who want it
"#;

#[test]
fn the_introduction_works_as_typed() {
    let mut rig = Rig::new();
    rig.file(INTRODUCTION).unwrap();
    rig.step(1.0);
    assert_eq!(rig.get("/z/3"), (0.5f64.sin() * 1e6).round() / 1e6);
    assert_eq!(rig.get("/psi"), 0.7, "everything before hush() is over");
    assert!(rig.script.bindings().is_empty() && rig.script.maps().is_empty());

    let mut rig = Rig::new();
    rig.file(&INTRODUCTION.replace("hush()", "")).unwrap();
    let bass = SignalId::intern("audio.bass").unwrap();
    rig.signals.set(bass, 1.0);
    rig.play_to(2.0);
    assert_eq!((rig.get("/psi"), rig.get("/fx/kaleido/sides"), rig.get("/seed")), (1.0, 12.0, 3.0));
    assert!((0.1..=2.0).contains(&rig.get("/walk/speed")), "{}", rig.get("/walk/speed"));
    assert_eq!(rig.get("/style/a"), 0.0);
    let mapped = &rig.script.maps()[0];
    assert_eq!(
        (mapped.control.as_str(), mapped.target, mapped.range),
        ("cc 21", Id::WalkSpeed.into(), Some([0.0, 2.0]))
    );
    rig.hear(&Heard::Osc("/foo", &Value::Float(1.0)));
    rig.step(0.1);
    assert!(rig.written.contains(&"/fx/add \"trails\"".to_owned()), "{:?}", rig.written);
    rig.play_to(9.0);
    assert_eq!(rig.get("/style/a"), 1.0);
    assert!(["loop", "line"].contains(&rig.word("/walk/kind").as_str()));
    rig.play_to(33.0);
    assert!(rig.written.contains(&"/preset \"vortex\"".to_owned()));
    assert_eq!(rig.get("/preset/fade"), 8.0);
    assert_eq!(rig.faults, [""; 0]);
}

#[test]
fn assigning_writes_binds_or_lets_go() {
    let mut rig = Rig::new();
    rig.ok(
        "psi = 0.25; walk.kind = 'loop'; freeze = true; seed.next(); fx.film_grain.size = 0.5; p['/fx/end/size'] = 1",
    );
    assert_eq!(
        rig.written,
        [
            "/walk/kind \"loop\"",
            "/freeze true",
            "/seed/next nothing",
            "/psi 0.25",
            "/fx/film-grain/size 0.5",
            "/fx/end/size 1"
        ]
    );
    rig.ok("psi = sine(8)");
    rig.play_to(2.0);
    assert_eq!((rig.get("/psi"), rig.params.base(Id::Psi)), (1.0, 0.25));
    rig.ok("psi = psi + 0.1");
    rig.frame();
    assert_eq!((rig.get("/psi"), rig.script.bindings().len()), (1.1, 0), "the number that it had");
    rig.ok("psi += 0.2; psi += 0.2");
    assert_eq!(rig.get("/psi"), 1.5);
    rig.ok("psi = 0.5; psi = sine(8)");
    rig.frame();
    assert_eq!(rig.get("/psi"), 1.0, "the last one counts");
    rig.ok("psi = nil");
    rig.frame();
    assert_eq!(rig.script.bindings().len(), 0);
    rig.ok("walk.radius = psi / 2");
    rig.ok("psi = 0.8");
    rig.frame();
    assert_eq!(rig.get("/walk/radius"), 0.4, "it follows");
    rig.ok("warp[1].amount = 0.5; warp[2].amount = -warp[1].amount; fx.echo.delay = sine(4):delay(1):range(0, 1)");
    rig.frame();
    assert_eq!((rig.get("/warp/1/amount"), rig.get("/warp/2/amount")), (0.5, -0.5));
    rig.ok("if psi() > 0.5 then seed = 9 end");
    assert_eq!(rig.get("/seed"), 9.0);
    rig.ok("walk.speed = noise(4) * 0.5; noise.gain = 2");
    rig.frame();
    assert!(rig.get("/walk/speed").abs() <= 0.5 && rig.get("/noise/gain") == 2.0);
    rig.ok("fx.mask.shape = seq('round square', 2); fx.mask.on = square(2)");
    rig.play_to(3.0);
    assert_eq!((rig.word("/fx/mask/shape").as_str(), rig.get("/fx/mask/on")), ("square", 0.0));
}

#[test]
fn vectors_are_values() {
    let mut rig = Rig::new();
    rig.ok("points[1] = vec(0, 1, 2, 3); points[2] = point(4)");
    rig.ok("w = lerp(points[1], points[2], saw(16))");
    rig.play_to(8.0);
    assert_eq!((0..4).map(|i| rig.get(&format!("/w/{i}"))).collect::<Vec<_>>(), [2.0, 3.0, 4.0, 4.0], "within ±4");
    rig.ok("z = 0.5 * points[1]");
    assert_eq!(rig.params.vector(Id::ZVector), [0.0, 0.5, 1.0, 1.5]);
    rig.ok("z = sine(8) * points[1]");
    rig.play_to(10.0);
    assert_eq!((rig.get("/z/1"), rig.params.vector(Id::ZVector).len()), (1.0, 0));
    rig.ok("w = nil; z = nil");
    rig.frame();
    assert_eq!((rig.script.bindings().len(), rig.get("/w/2")), (0, 0.0));
    rig.ok("z[0] = points[1][2]; print(#w(), w()[1])");
    assert_eq!((rig.get("/z/0"), rig.script.take_output()), (1.0, vec!["4 signal from 0 to 0".to_owned()]));
}

#[test]
fn mistakes_name_file_line_and_the_nearest_name() {
    let table = [
        ("psi = ", "live:1: Expected identifier when parsing expression, got <eof>"),
        ("\nwalk.spede = 1", "live:2: there is no walk.spede; did you mean \"walk.speed\"?"),
        ("psi = sien(8)", "live:1: attempt to call a nil value; there is no sien; did you mean \"sine\"?"),
        ("walk = 3", "live:1: walk is a group of parameters and cannot be set; see help(\"walk\")"),
        ("psi = 'high'", "live:1: psi takes a number from -1 to 2; got \"high\""),
        (
            "walk.kind = 'lop'",
            "live:1: walk.kind takes one of hold, drift, loop, line, keys; got \"lop\"; did you mean \"loop\"?",
        ),
        (
            "walk.kind = seq('loop lin')",
            "live:1: walk.kind: the pattern has the word \"lin\", which is not a number here; did you mean \"line\"?",
        ),
        (
            "style.a = names('inc fog')",
            "live:1: style.a: the pattern has the word \"inc\", which is not a number here; did you mean \"ink\"? painters has ink, starry night, fog",
        ),
        ("psi = function() end", "live:1: psi is a parameter and takes a number or a signal; got a function"),
        ("function seed() end", "live:1: seed is a parameter and takes a number or a signal; got a function"),
        ("function sine() end", "live:1: sine is a function of the instrument; choose another name"),
        (
            "psi = sine(8) < 1",
            "live:1: attempt to compare Signal < number; psi() is the number of a parameter, and :above(x) compares a signal",
        ),
        (
            "if psi > 0.5 then end",
            "live:1: attempt to compare number < table; psi() is the number of a parameter, and :above(x) compares a signal",
        ),
        (
            "psi = math.sin(psi)",
            "live:1: invalid argument #1 to 'sin' (number expected, got table); psi() is the number of a parameter, and :above(x) compares a signal",
        ),
        ("psi = sine(8) .. 'x'", "live:1: a signal is not a text"),
        (
            "psi = sine(8):rnage(0, 1)",
            "live:1: signals have no \"rnage\", only range, smooth, slow, fast, delay, quantize, env, clip, above, abs, floor; did you mean \"range\"?",
        ),
        ("z[2000] = 1", "live:1: z has the members 0 to 1023; got 2000"),
        ("psi = 0/0", "live:1: psi takes a number from -1 to 2; got NaN"),
        ("psi = seq('1 [2')", "live:1: the pattern \"1 [2\" has its end at character 5; expected a closing ]"),
        ("psi = {1, 2}", "live:1: psi takes one number; got a vector of 2"),
        ("preset('a', {fde = 1})", "live:1: preset has no option \"fde\""),
        ("every(0, function() end)", "live:1: every takes beats above 0; got 0"),
        (
            "on(7, function() end)",
            "live:1: on takes an OSC address such as \"/foo\", note(36), beat, key(\"x\"), \"cc 21\" or a signal",
        ),
        ("map('cc 21', 7)", "live:1: a parameter goes here, such as walk.speed"),
        (
            "local s = sine(1) for i = 1, 99 do s = s + s end",
            "live:1: the expression is too large: more than 256 parts",
        ),
        ("string.sub = 1", "live:1: attempt to modify a readonly table"),
    ];
    let mut rig = Rig::new();
    for (text, expected) in table {
        assert_eq!(rig.line(text), Err(expected.to_owned()), "{text}");
    }
    assert!(rig.written.is_empty() && rig.script.is_idle());
    rig.ok("psii = 3");
    assert_eq!(rig.script.take_output(), ["psii is a variable of the patch; did you mean the parameter psi?"]);
}

#[test]
fn nothing_dangerous_is_within_reach() {
    let mut rig = Rig::new();
    for name in ["os", "io", "require", "debug", "loadstring", "getfenv", "coroutine", "collectgarbage", "rawset"] {
        rig.ok(&format!("assert({name} == nil)"));
    }
    rig.ok("assert(tostring({}) == 'table' and string.format('%s', {}) == 'table' and `{ {} }` == 'table')");
    rig.ok("assert(getmetatable(psi) == false and getmetatable('').__index ~= nil)");
    assert!(rig.line("string.rep = nil").is_err() && rig.line("getmetatable('').__index.rep = nil").is_err());
}

#[test]
fn a_runaway_costs_one_frame_and_changes_nothing() {
    let table = [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() return f() + 1 end f()",
        "local t = {} while true do t[#t + 1] = {} end",
        "local s = 'x' while true do s = s .. s end",
        "string.rep('x', 1e9)",
        "table.create(1e8)",
        "buffer.create(1e9)",
        "table.move({}, 1, 1e9, 2)",
        "local t = table.create(10000, 1) while true do table.sort(t) end",
        "('x'):rep(8000):find('.-.-.-.-b$')",
        "while true do psi = sine(8) end",
        "repeat local x = xpcall(error, function() while true do end end) until false",
    ];
    let mut rig = Rig::new();
    rig.ok("psi = sine(8)");
    for text in table {
        let started = std::time::Instant::now();
        let error = rig.line(&format!("seed = 7; {text}")).expect_err(text);
        assert!(error.starts_with("live:1: ") || error.starts_with("live: "), "{text}: {error}");
        // Not a measurement: a hang would be seconds.
        assert!(started.elapsed().as_secs_f64() < 3.0, "{text}: {:?}", started.elapsed());
        assert_eq!(rig.get("/seed"), 0.0, "{text}");
        rig.ok("walk.radius = 0.5");
    }
    assert_eq!(rig.script.bindings().len(), 1, "the last good line plays on");
    // The same step every time.
    let steps = |rig: &mut Rig| {
        rig.ok("count = {0} on('/go', function() while true do count[1] += 1 end end)");
        rig.hear(&Heard::Osc("/go", &Value::Nothing));
        rig.frame();
        rig.ok("print(count[1])");
        rig.script.take_output()
    };
    let mut outputs: Vec<_> = (0..2).map(|_| steps(&mut Rig::new())).collect();
    assert_eq!(outputs.pop(), outputs.pop());
}

#[test]
fn a_file_counts_as_a_whole_and_a_line_for_itself() {
    let mut rig = Rig::new();
    rig.file(
        "count = (count or 0) + 1\npsi = sine(8)\nwalk.speed = sine(4)\nevery(1, function() seed = seed() + 1 end)",
    )
    .unwrap();
    rig.play_to(2.5);
    assert_eq!(rig.get("/seed"), 3.0, "at beats 0, 1 and 2");
    assert_eq!(
        rig.file("psi = 0.1\nwalk.speed = oops.x"),
        Err("drift.luau:2: attempt to index nil with 'x'; there is no oops".to_owned())
    );
    rig.play_to(3.5);
    assert_eq!((rig.get("/seed"), rig.script.bindings().len()), (4.0, 2), "the last good version plays on");
    rig.line("walk.radius = sine(4)").unwrap();
    assert_eq!(rig.script.bindings().len(), 3, "a line adds to what plays");
    rig.file("count = count + 1\npsi = sine(8)\nprint(count)").unwrap();
    assert_eq!(rig.script.take_output(), ["2"], "variables live on");
    rig.play_to(6.0);
    assert_eq!((rig.get("/seed"), rig.script.bindings().len()), (4.0, 1), "what is gone from the file ends");
    rig.script.end("drift.luau");
    assert!(rig.script.is_idle());
}

#[test]
fn a_line_replaces_the_handler_that_it_made() {
    let mut rig = Rig::new();
    rig.ok("every(1, function() seed = seed() + 1 end)");
    rig.play_to(1.5);
    rig.ok("every(1, function() seed = seed() + 10 end)");
    rig.play_to(2.5);
    assert_eq!(rig.get("/seed"), 12.0, "1 at beats 0 and 1, then 10");
    rig.ok("every(1, function() noise.seed = 1 end) every(1, function() noise.gain = 3 end)");
    rig.play_to(3.5);
    assert_eq!((rig.get("/seed"), rig.get("/noise/seed"), rig.get("/noise/gain")), (12.0, 1.0, 3.0));
    rig.ok("every(1, nil)");
    assert!(rig.script.is_idle());
}

#[test]
fn undo_takes_back_the_evaluation() {
    let mut rig = Rig::new();
    rig.ok("psi = sine(8) x = 1");
    rig.ok("psi = 0.3 x = 2 every(1, function() end) map('cc 1', psi) walk.kind = 'line'");
    assert_eq!((rig.script.bindings().len(), rig.word("/walk/kind").as_str()), (0, "line"));
    assert!(rig.script.undo());
    rig.apply();
    rig.frame();
    assert_eq!((rig.script.bindings().len(), rig.word("/walk/kind").as_str()), (1, "drift"));
    assert_eq!((rig.params.base(Id::Psi), rig.script.maps().len()), (0.7, 0));
    rig.ok("assert(x == 1)");
    assert!(rig.script.undo() && !rig.script.undo(), "what only asks is no step");
    rig.ok("assert(x == nil)");
    assert!(rig.script.is_idle());
}

#[test]
fn code_that_only_asks_leaves_nothing_to_undo() {
    let mut rig = Rig::new();
    rig.ok("psi = 0.3");
    for asks in ["help()", "help('walk')", "print(psi())", "local a = psi() * 2", ""] {
        rig.ok(asks);
    }
    rig.file("-- nothing yet").unwrap();
    assert!(rig.script.undo());
    rig.apply();
    assert_eq!(rig.params.base(Id::Psi), 0.7);
    assert!(!rig.script.undo(), "the others were answers");
    // A file that has lost a line ends what the line played.
    rig.file("psi = sine(8)").unwrap();
    rig.file("").unwrap();
    assert!(rig.script.is_idle() && rig.script.undo() && !rig.script.is_idle());
    // An answer joins nothing.
    rig.ok("psi = 0.4");
    rig.ok("help()");
    rig.script.join_undo();
    assert!(rig.script.undo() && rig.script.undo() && !rig.script.undo());
}

#[test]
fn handlers_hear_what_happens() {
    let mut rig = Rig::new();
    let kick = SignalId::intern("audio.kick").unwrap();
    rig.ok("heard = {}");
    rig.ok("local function hear(name) return function(x) heard[#heard + 1] = name .. tostring(x) end end
        on(note(36), hear('note')) on(key('x'), hear('key')) on('cc 21', hear('cc')) on('/a/b', hear('osc'))
        on(kick, hear('kick')) on(beat, hear('beat')) on('/list', function(x) heard[#heard + 1] = x[2] end)");
    rig.ok("psi = cc(7):range(0, 1); walk.radius = osc('/1/fader3')");
    rig.hear(&Heard::Note(36, 0.5));
    rig.hear(&Heard::Note(37, 0.5));
    rig.hear(&Heard::Key("x"));
    rig.hear(&Heard::Cc(21, 1.0));
    rig.hear(&Heard::Cc(7, 0.25));
    rig.hear(&Heard::Osc("/a/b", &Value::Text("hi".into())));
    rig.hear(&Heard::Osc("/list", &Value::List(vec![1.0, 2.0])));
    rig.hear(&Heard::Osc("/1/fader3", &Value::Float(0.75)));
    rig.signals.set(kick, 1.0);
    rig.frame();
    assert_eq!((rig.get("/psi"), rig.get("/walk/radius")), (0.25, 0.75));
    rig.step(0.5);
    rig.signals.set(kick, 0.0);
    rig.step(0.5);
    rig.signals.set(kick, 1.0);
    rig.step(0.5);
    rig.ok("print(table.concat(heard, ' '))");
    assert_eq!(rig.script.take_output(), ["note0.5 keynil cc1 oschi kick0 beat0 2 beat1 kick1.5"]);
    assert_eq!(rig.faults, [""; 0]);
}

#[test]
fn a_handler_that_fails_three_times_is_switched_off() {
    let mut rig = Rig::new();
    rig.ok("\nfunction frame(t) seed = 5 local x = nil + 1 end");
    for _ in 0..5 {
        rig.step(0.1);
    }
    let line = "live:2: attempt to perform arithmetic (add) on nil and number";
    assert_eq!(
        rig.faults,
        [line.to_owned(), line.to_owned(), format!("{line}; switched off after three errors in a row")]
    );
    assert_eq!(rig.get("/seed"), 0.0);
    assert!(rig.script.is_idle());
    rig.ok("function frame(t) while true do end end");
    rig.step(0.1);
    assert!(rig.faults[3].starts_with("live:1: it ran too long: more than 300000 steps"), "{}", rig.faults[3]);
}

#[test]
fn cues_play_once_and_not_again_after_a_reload() {
    let mut rig = Rig::new();
    let text = "at(0, function() seed = seed() + 1 end)\nat(2, function() seed = seed() + 10 end)";
    rig.time.beat = 8.0;
    rig.file(text).unwrap();
    rig.frame();
    assert_eq!(rig.get("/seed"), 1.0);
    rig.step(1.0);
    rig.file(text).unwrap();
    rig.play_to(12.0);
    assert_eq!(rig.get("/seed"), 11.0);
}

#[test]
fn the_same_take_gives_the_same_show() {
    let play = || {
        let mut rig = Rig::new();
        rig.file("every(1, function() seed = math.random(1000) psi = random(0, 1) walk.kind = pick('loop', 'line') end)\nwalk.speed = rand(0.5) + noise(3)\nz[1] = seq('1? 2? 3?', 1)").unwrap();
        let mut seen = Vec::new();
        for _ in 0..200 {
            rig.step(0.05);
            seen.push((rig.get("/seed"), rig.get("/psi"), rig.get("/walk/speed"), rig.get("/z/1")));
        }
        (seen, rig.written)
    };
    let (a, b) = (play(), play());
    assert_eq!(a, b);
    assert!(a.0.iter().any(|seen| seen.0 > 500.0) && a.0.iter().any(|seen| seen.0 < 500.0));
}

#[test]
fn help_explains() {
    let mut rig = Rig::new();
    rig.ok("help('walk.speed') help(psi) help('sine') help('wlak')");
    assert_eq!(
        rig.script.take_output(),
        [
            "walk.speed: a number from -4 to 4, now 0.25: speed of the walk: 1 is about one new picture per second, negative goes backwards, 0 stops",
            "psi: a number from -1 to 2, now 0.7: truncation psi: 0 is the average picture, 1 the full variety",
            "psi.cutoff: a whole number from 0 to 64, now 64: truncate only the first n layers",
            "psi[n]: a number from -3 to 3, now 0: added to the psi of one layer",
            "sine(beats, phase): from -1 to 1, one period in so many beats",
            "there is no wlak; did you mean \"walk\"?",
        ]
    );
    rig.ok("help()");
    assert!(rig.script.take_output().len() > 30);
    rig.ok("assert(has('walk') and has('fx.kaleido.sides') and not has('fx.kal'))");
}

#[test]
fn rows_that_come_and_go_are_names_that_come_and_go() {
    let mut rig = Rig::new();
    rig.ok("fx.echo.delay = 2");
    let gone = rig.params.table().row("/fx/echo/delay").unwrap();
    rig.params.remove(&[gone]);
    assert_eq!(rig.line("fx.echo.delay = 1"), Err("live:1: there is no fx.echo".to_owned()));
    let added = Def::float("/fx/echo/delay", 0.0, 8.0, 1.0);
    rig.params.add(&[added]).unwrap();
    rig.ok("fx.echo.delay = 7");
    assert_eq!(rig.get("/fx/echo/delay"), 7.0);
    rig.ok("fx.kaleido.sides = 3");
    assert_eq!(rig.get("/fx/kaleido/sides"), 3.0);
}
