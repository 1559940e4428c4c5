//! `play`: the show, live, in a window or headless.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::audio::listen::Input;
use crate::audio::{Gain, offset};
use crate::caption::watch;
use crate::control::audio::AudioIn;
use crate::control::midi::{MidiClockOut, MidiInputs, MidiOutputs, PortRule, Profiles};
use crate::control::osc::{self, OscServer, Out};
use crate::control::query::{self, Doorway, Explorer, OscHost, QueryServer};
#[cfg(feature = "link")]
use crate::control::session::link::LinkSession;
use crate::control::timecode::ltc::{self, LtcIn};
use crate::control::timecode::{self, Carrier};
use crate::control::{self, Absent, Counts, Event, EventSender, Events, Listen, Source, Write};
use crate::engine::gpu::Device;
use crate::explore::beside::{self, Beside};
use crate::explore::favourites;
use crate::params::{Choice, Codec, Id, RecordWhat, Value};
use crate::patch::folders::Kind;
use crate::patch::key_file;
use crate::patch::library::Library;
use crate::patch::listing::Listing;
use crate::patch::locate;
use crate::patch::set::{self, Set};
use crate::record::stream::Target;
use crate::record::take::Take;
use crate::record::{codec, names, share};
use crate::runway::{self, Door, RunwayServer};
use crate::show::{Devices, Mode, Show, Uploads, whole_micros};
use crate::thread::beside_a_show;
use crate::thumbnail::{self, Thumbnails};

/// The default UDP port for OSC.
pub const OSC_PORT: u16 = 9000;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The preset: a name, its number, or a file; or a network's file, as with --network; or a take, which plays while you
    /// play along; or a snapshot (.png), which leads to its picture
    #[arg(value_name = "PRESET|TAKE|PNG")]
    preset: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

/// The command that plays what somebody named, if it is a preset, a file or a network.
pub fn line(named: &str) -> Option<String> {
    let word = if named.contains(char::is_whitespace) { format!("\"{named}\"") } else { named.to_owned() };
    let is_preset = Library::open().is_ok_and(|library| library.find(named).is_ok());
    if is_preset || locate::expand(Path::new(named)).is_file() {
        return Some(format!("play {word}"));
    }
    locate::network(Path::new(named)).is_ok().then(|| format!("play --network {word}"))
}

/// All but what plays first: the program takes these without the word `play`, too.
#[derive(Debug, clap::Args)]
pub struct Settings {
    #[command(flatten)]
    overrides: super::Overrides,
    /// Play a set list: its name or file. Without a preset, its first entry plays
    #[arg(long, value_name = "FILE")]
    set: Option<String>,
    /// UDP port for OSC
    #[arg(long, default_value_t = OSC_PORT, value_name = "PORT")]
    osc: u16,
    /// TCP port for OSCQuery and the browser page [default: the same number as the OSC port]
    #[arg(long, value_name = "PORT")]
    web: Option<u16>,
    /// Disable OSCQuery and the browser page
    #[arg(long, conflicts_with = "web")]
    no_web: bool,
    /// The file of favourites, for stars on the page's explorer
    #[arg(long, default_value = favourites::FILE, value_name = "FILE.toml", value_parser = super::path())]
    favourites: PathBuf,
    /// Answer sketches for Runway's app on this port, 8000 if none is given: pictures from the network and the style network
    /// that play (repeatable, or a list: 8000,3000). `network:8001` and `style:8002` play only that
    #[arg(long, value_name = "[MODEL:]PORT", num_args = 0..=1, default_missing_value = "8000", value_delimiter = ',')]
    runway: Vec<Door>,
    /// Address to listen on for OSC, browsers and sketches; 0.0.0.0 opens them to the network [default: this machine only]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<std::net::IpAddr>,
    /// Send every change over OSC to this receiver (repeatable)
    #[arg(long, value_name = "HOST:PORT")]
    osc_out: Vec<Out>,
    /// Apply OSC messages at once, whatever their time tags
    #[arg(long)]
    osc_ignore_time_tags: bool,
    /// Open only MIDI ports whose names contain this (repeatable)
    #[arg(long, value_name = "NAME")]
    midi_only: Vec<String>,
    /// Skip MIDI ports whose names contain this (repeatable)
    #[arg(long, value_name = "NAME")]
    midi_except: Vec<String>,
    /// Send the beat as a MIDI clock to outputs whose names contain this (repeatable)
    #[arg(long, value_name = "NAME")]
    midi_clock: Vec<String>,
    /// Join the Ableton Link session of this network: tempo and bar are shared (needs a build with the feature `link`)
    #[arg(long)]
    link: bool,
    /// Start and stop with the Link session, too: while it is stopped, the beat stands still
    #[arg(long, requires = "link")]
    link_start_stop: bool,
    /// Listen to a sound input: `default`, a part of its name, or a sound file that is played as if it were live. `none`
    /// listens to nothing; `doctor` lists the inputs
    #[arg(long, value_name = "DEVICE|FILE|none")]
    audio: Option<String>,
    /// Do not play the sound file aloud
    #[arg(long, requires = "audio")]
    audio_silent: bool,
    /// How much earlier the picture hears the sound, in milliseconds, or later if negative: /audio/offset
    #[arg(long, value_name = "MS", allow_negative_numbers = true, value_parser = parse_offset)]
    audio_offset: Option<f64>,
    /// Loudness of the music in dB of full scale, instead of adapting to it
    #[arg(long, value_name = "DB", value_parser = super::parse_gain, allow_negative_numbers = true)]
    audio_gain: Option<Gain>,
    /// Record what is shown, from the beginning: a video (.mp4, .mov, .mkv, .webm), a loop (.gif, .webp) or a folder for
    /// PNGs. An existing file stays, and the new one is numbered. A take is written beside it, unless /record/take is off
    #[arg(long, value_name = "FILE|DIR", value_parser = super::path())]
    record: Option<PathBuf>,
    /// Codec of recordings [default: what the file's ending suggests]
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(Codec::WORDS))]
    record_codec: Option<String>,
    /// What recordings hold: the output, the network's picture before all effects, or both in a file each [default: output]
    #[arg(long, value_name = "WHAT", value_parser = clap::builder::PossibleValuesParser::new(RecordWhat::WORDS))]
    record_what: Option<String>,
    /// Frames per second of recordings [default: 30]
    #[arg(long, value_name = "F")]
    record_fps: Option<f64>,
    /// Size of recordings [default: the output's]
    #[arg(long, value_name = "WxH", value_parser = super::parse_size)]
    record_size: Option<(u32, u32)>,
    /// Stream what is shown: srt://, udp://, tcp://, rtmp://, rtsp://, or a loopback device such as /dev/video2
    #[arg(long, value_name = "URL")]
    stream: Option<String>,
    /// Give what is shown to other programs: ndi, spout (Windows) or syphon (macOS), with a name if you like: ndi:Stage
    /// (repeatable)
    #[arg(long, value_name = "WAY[:NAME]")]
    share: Vec<String>,
    /// Run without a window: OSC and MIDI in, a status line every second, Ctrl-C to quit
    #[arg(long)]
    headless: bool,
    /// Full screen, on this screen (0 is the main one; `doctor` lists them)
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "0")]
    fullscreen: Option<usize>,
    /// Show the picture alone in a second window, full screen on this screen: its number, or a part of its name; `window` is
    /// a plain window, `none` no output; without a value, the last one used, or one beside the main screen. If it is
    /// missing, the output opens when it is plugged in. The next run does the same
    #[arg(long, value_name = "N|NAME", num_args = 0..=1, default_missing_value = "")]
    output: Option<String>,
    /// Size of the window, and of the output
    #[arg(long, default_value = "1280x720", value_parser = super::parse_size, value_name = "WxH")]
    size: (u32, u32),
    /// Start without any text over the picture (H shows it)
    #[arg(long)]
    no_hud: bool,
    /// Write a take from the first frame on: everything that is played, to be rendered later at any size
    #[arg(long, value_name = "FILE", value_parser = super::path())]
    take: Option<PathBuf>,
    /// Play the take again when it ends
    #[arg(long = "loop")]
    loops: bool,
    /// Of a take: follow timecode instead of the clock, from MIDI (mtc) or from a sound input (ltc)
    #[arg(long, value_name = "mtc|ltc", value_parser = clap::builder::PossibleValuesParser::new(Carrier::WORDS), conflicts_with = "loops")]
    chase: Option<String>,
    /// The timecode at which the take begins, such as 01:00:00:00 [default: 0]
    #[arg(long, value_name = "TIME", value_parser = timecode::parse_start, requires = "chase")]
    chase_start: Option<f64>,
    /// Read linear timecode from a sound input or a file, and of one of its channels: `scarlett:2`
    #[arg(long, value_name = "INPUT[:CHANNEL]")]
    ltc: Option<String>,
    /// Quit after this many seconds
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
}

/// The host and port at which another program can reach us; if we are open to the network, another machine.
fn page_host(local: SocketAddr) -> String {
    if local.ip().is_loopback() {
        return format!("localhost:{}", local.port());
    }
    let mut address = local;
    if local.ip().is_unspecified()
        && let Some(ip) = if_addrs::get_if_addrs()
            .unwrap_or_default()
            .iter()
            .map(|i| i.ip())
            .find(|ip| ip.is_ipv4() && !ip.is_loopback())
    {
        address.set_ip(ip);
    }
    address.to_string()
}

/// How long to wait for a previous show to release its ports.
const LAST_SHOW: Duration = Duration::from_secs(3);

/// Retries until it works, or until `end`.
fn until<T, E>(end: Instant, mut start: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    loop {
        match start() {
            Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(100)),
            result => return result,
        }
    }
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    play(options.preset.as_deref(), &options.settings)
}

/// Plays this preset, take or snapshot; without one, the first preset.
pub fn play(named: Option<&str>, options: &Settings) -> anyhow::Result<()> {
    if options.headless || cfg!(not(feature = "window")) {
        super::log();
    }
    let set = options.set.as_deref().map(read_set).transpose()?;
    let first = set.as_ref().map(|set| set.entries[0].file.to_string_lossy().into_owned());
    let preset = named.or(first.as_deref());
    let has_window = has_window(options);
    let file = preset.map(|named| locate::expand(Path::new(named)));
    let led = file.filter(|file| Take::is_named(file) || Take::is_in_picture(file));
    ensure!(led.is_some() || !options.loops, "--loop is for takes (.take)");
    let chase = options.chase.as_deref().and_then(Carrier::from_word);
    let is_take = led.as_deref().is_some_and(Take::is_named);
    ensure!(is_take || chase.is_none(), "--chase is for takes (.take); for presets there is /tempo/source timecode");
    ensure!(chase != Some(Carrier::Ltc) || options.ltc.is_some(), "--chase ltc needs the input: --ltc INPUT");
    let (mut show, device) = match (&led, has_window) {
        (Some(file), _) => {
            let (mut show, device, take, frames) = options.overrides.resume(file, has_window)?;
            if take.picture.is_none() {
                show.play_take(take, frames, options.loops);
                chase.into_iter().for_each(|carrier| show.chase(carrier, options.chase_start.unwrap_or(0.0)));
            }
            (show, device.filter(|_| has_window))
        }
        (None, true) => options.overrides.show_in_window(preset)?,
        (None, false) => (options.overrides.show(preset, Mode::Live)?, None),
    };
    let controllers = show.library().folders().all(Kind::Controller);
    show.set_names_only(options.listen.is_some_and(|ip| !ip.is_loopback()));
    let thumbnails = Thumbnails::new(thumbnail::Options::new(show.library().clone()));
    let (sender, events) = control::queue();
    let [osc_counts, web_counts, midi_counts, audio_counts] = [(); 4].map(|()| Arc::<Counts>::default());
    let explorer = (!options.no_web).then(|| explorer(options, &mut show));
    let listing = Listing::new(show.library().clone());
    let names: query::LookUp = Arc::new(move || listing.names());
    // A missing device is reported once; the show continues.
    let mut without = |error: String| {
        warn!("{error}");
        show.notice(error);
    };
    let deadline = Instant::now() + LAST_SHOW;
    let web = options.web.unwrap_or(options.osc);
    let osc = until(deadline, || {
        OscServer::start(osc::Options {
            listen: Listen::new(options.listen, options.osc),
            ignores_tags: options.osc_ignore_time_tags,
            outs: options.osc_out.clone(),
            events: sender.clone(),
            counts: osc_counts.clone(),
        })
    });
    let osc = osc.map_err(|error| without(error.to_string())).ok();
    let query = (!options.no_web)
        .then(|| {
            until(deadline, || {
                QueryServer::start(query::Options {
                    listen: Listen::new(options.listen, web),
                    osc: osc.as_ref().map(|osc| OscHost::new(osc.local_addr())),
                    announce: true,
                    timeouts: query::Timeouts::default(),
                    thumbs: Some(Arc::new(thumbnails.clone())),
                    explorer: explorer.clone(),
                    names: names.clone(),
                    events: sender.clone(),
                    counts: web_counts.clone(),
                })
            })
        })
        .and_then(|started| started.map_err(|error| without(error.to_string())).ok());
    if let Some(query) = &query {
        say!("every address, with sliders: http://{}/", page_host(query.local_addr()));
    }
    let doorway = Doorway::new(query.as_ref().map(QueryServer::local_addr), web, sender.clone());
    let word = options.audio.as_deref().filter(|word| *word != "none");
    let audio = word.map(|word| {
        let mut input = Input::of(word).map_err(|error| without(error.to_string()))?;
        let mut track = None;
        if let Input::Track { aloud, .. } = &mut input {
            *aloud = !options.audio_silent;
            track = Some(PathBuf::from(word));
        }
        let audio = AudioIn::start(input, options.audio_gain.unwrap_or_default(), sender.clone(), audio_counts)
            .map_err(|error| without(format!("cannot start the audio thread: {error}")))?;
        Ok((audio, track))
    });
    let (profiles, problems) = Profiles::load(&controllers);
    problems.iter().for_each(|problem| without(problem.to_string()));
    let profiles = Arc::new(profiles);
    let rule = PortRule::new(&options.midi_only, &options.midi_except);
    let mut devices = Devices::new(profiles.clone());
    match osc {
        Some(osc) => devices.plug(osc),
        None => devices.plug(Absent("osc")),
    }
    if let Some(query) = query {
        devices.tap(query.viewer());
        devices.plug(query);
    }
    match watch::start(sender.clone(), true) {
        Ok((watch, looker)) => {
            devices.listen(watch);
            devices.tap(looker);
        }
        Err(error) => show.notice(format!("cannot start the thread for captions: {error}")),
    }
    if has_window && device.is_none() {
        devices.tap(Uploads);
    }
    match audio {
        Some(Ok((audio, track))) => {
            track.into_iter().for_each(|track| show.set_track(track, audio.history().clone()));
            show.set_sound(audio.history().clone());
            devices.plug(audio);
        }
        Some(Err(())) => devices.plug(Absent("audio")),
        None => {}
    }
    if !options.midi_clock.is_empty() {
        let rule = PortRule::new(&options.midi_clock, &options.midi_except);
        match MidiClockOut::start(rule, sender.clone(), midi_counts.clone()) {
            Ok(clock) => devices.plug(clock),
            Err(error) => show.notice(format!("cannot start the MIDI clock thread: {error}")),
        }
    }
    if let Some(word) = &options.ltc {
        listen_to_timecode(word, &mut show, &mut devices, &sender);
    }
    if options.link {
        join_session(options, &mut show, &mut devices, &sender);
    }
    if !options.runway.is_empty() {
        answer_sketches(options, deadline, &mut show, &mut devices, &sender);
    }
    let midi = MidiInputs::start(rule.clone(), sender.clone(), midi_counts.clone());
    let lights = MidiOutputs::start(&midi, profiles, rule, sender, midi_counts);
    devices.plug(midi);
    devices.plug(lights);
    show.connect(devices);
    show.set_output_size([options.size.0, options.size.1]);
    let (record, take) = files(options)?;
    if take.is_some() {
        show.start_take(take);
    }
    let keys = key_file::find(show.library().folders()).filter(|_| led.is_none());
    let first = first_writes(options, keys, record)?;
    if has_window {
        return open(show, device, events, options, (first, thumbnails, doorway));
    }
    if !first.is_empty() {
        show.step(0.0, &first);
    }
    headless(show, &events, options.seconds)
}

/// Reads a set list before the show begins.
fn read_set(named: &str) -> anyhow::Result<Set> {
    let library = Library::open()?;
    let file = set::find(library.folders(), named, true)?;
    Ok(Set::read(&file, &library)?)
}

/// Pictures of the network that plays, for the page.
fn explorer(options: &Settings, show: &mut Show) -> Arc<dyn Explorer> {
    let (models, threads) = (show.models(), beside_a_show(show.machinery().0.name()));
    let given = beside::Options::new(move || models.get().network, threads, show.library().folders().clone());
    Arc::new(Beside::new(beside::Options { favourites: options.favourites.clone(), ..given }))
}

/// Answers sketches for Runway's app.
fn answer_sketches(
    options: &Settings,
    deadline: Instant,
    show: &mut Show,
    devices: &mut Devices,
    events: &EventSender,
) {
    let models = show.models();
    let threads = beside_a_show(show.machinery().0.name());
    let started = until(deadline, || {
        RunwayServer::start(runway::Options {
            doors: options.runway.iter().map(|door| (Listen::new(options.listen, door.port), door.model)).collect(),
            models: models.clone(),
            threads,
            yields: true,
            timeouts: runway::timeouts(),
            events: events.clone(),
            counts: Arc::default(),
        })
    });
    match started {
        Ok(runway) => {
            let mut hosts: Vec<String> = runway.addresses().iter().map(|address| page_host(*address)).collect();
            hosts.dedup();
            say!("sketches for Runway: http://{}/", hosts.join("/ http://"));
            devices.plug(runway);
        }
        Err(error) => {
            warn!("{error}");
            show.notice(error.to_string());
            devices.plug(Absent("runway"));
        }
    }
}

/// Reads linear timecode.
fn listen_to_timecode(word: &str, show: &mut Show, devices: &mut Devices, events: &EventSender) {
    let (word, channel) = ltc::parse_input(word);
    let started = Input::of(word).map_err(|error| error.to_string()).and_then(|input| {
        LtcIn::start(input, channel, events.clone(), Arc::default()).map_err(|error| error.to_string())
    });
    match started {
        Ok(ltc) => devices.plug(ltc),
        Err(line) => {
            warn!("ltc: {line}");
            show.notice(format!("ltc: {line}"));
            devices.plug(Absent("ltc"));
        }
    }
}

/// Joins the session of this network, if this build can.
#[cfg(feature = "link")]
fn join_session(options: &Settings, _: &mut Show, devices: &mut Devices, events: &EventSender) {
    devices.plug(LinkSession::join(options.link_start_stop, events.clone(), Arc::default()));
}

#[cfg(not(feature = "link"))]
fn join_session(_: &Settings, show: &mut Show, _: &mut Devices, _: &EventSender) {
    warn!("{}", control::session::ABSENT);
    show.notice(control::session::ABSENT.to_owned());
}

/// Milliseconds that `/audio/offset` takes.
fn parse_offset(text: &str) -> Result<f64, String> {
    let most = offset::MOST_MS;
    let value = text.parse().ok().filter(|ms: &f64| ms.abs() <= most);
    value.ok_or_else(|| format!("expected milliseconds from -{most} to {most}"))
}

/// What `/share` gets. What cannot be sent with is said at once: on the HUD it is one line of several.
fn shares(options: &Settings) -> anyhow::Result<String> {
    let shares = options.share.join(", ");
    let targets = share::Target::parse_all(&shares).map_err(|line| anyhow::anyhow!("--share: {line}"))?;
    for target in targets {
        if let Err(line) = target.way().available() {
            warn!("no pictures by {}: {line}", target.way());
        }
    }
    Ok(shares)
}

/// Where the recording and the take go. If the take has the recording's name, they also have the same number.
fn files(options: &Settings) -> anyhow::Result<(Option<PathBuf>, Option<PathBuf>)> {
    let record = options.record.as_deref().map(std::path::absolute).transpose()?;
    let (Some(file), Some(take)) = (&record, &options.take) else { return Ok((record, options.take.clone())) };
    let codec = options.record_codec.as_deref().and_then(Codec::from_word).unwrap_or(Codec::Auto);
    let is_both = options.record_what.as_deref().and_then(RecordWhat::from_word) == Some(RecordWhat::Both);
    // A file that cannot be is reported when the recording begins.
    let planned = codec::plan(file, codec).map_or_else(|_| file.clone(), |(planned, ..)| planned);
    Ok(match names::pair(&planned, take, is_both) {
        Some((numbered, take)) if numbered != planned => (Some(numbered), Some(take)),
        Some((_, take)) => (record, Some(take)),
        None => (record, Some(take.clone())),
    })
}

/// What options write into parameters.
fn first_writes(options: &Settings, keys: Option<PathBuf>, record: Option<PathBuf>) -> anyhow::Result<Vec<Event>> {
    if let Some(fps) = options.record_fps {
        anyhow::ensure!((1.0..=240.0).contains(&fps), "--record-fps takes 1 to 240, got {fps}");
    }
    if let Some(address) = &options.stream {
        Target::parse(address).map_err(|line| anyhow::anyhow!("--stream: {line}"))?;
    }
    let shares = shares(options)?;
    let values = [
        (Id::Keys, keys.map(|file| Value::Text(file.display().to_string()))),
        (Id::Set, options.set.clone().map(Value::Text)),
        (Id::AudioOffset, options.audio_offset.map(Value::Float)),
        (Id::RecordFile, record.map(|file| Value::Text(file.display().to_string()))),
        (Id::RecordCodec, options.record_codec.clone().map(Value::Text)),
        (Id::RecordWhat, options.record_what.clone().map(Value::Text)),
        (Id::RecordFps, options.record_fps.map(Value::Float)),
        (Id::RecordSize, options.record_size.map(|(width, height)| Value::Text(format!("{width}x{height}")))),
        (Id::Stream, options.stream.clone().map(Value::Text)),
        (Id::Share, (!shares.is_empty()).then_some(Value::Text(shares))),
        (Id::RecordStart, options.record.as_ref().map(|_| Value::Nothing)),
    ];
    let write = |(id, value): (Id, Option<Value>)| {
        value.map(|value| Event::Write(Write { target: id.into(), value, source: Source::Key }))
    };
    Ok(values.into_iter().filter_map(write).collect())
}

/// Whether there will be a window. Says why not if one was expected.
#[cfg(feature = "window")]
fn has_window(options: &Settings) -> bool {
    let display = if options.headless { return false } else { crate::app::display_available() };
    display.inspect_err(|why| warn!("{why}; playing headless")).is_ok()
}

#[cfg(not(feature = "window"))]
fn has_window(options: &Settings) -> bool {
    if !options.headless {
        warn!("this build has no window (feature `window`); playing headless");
    }
    false
}

#[cfg(feature = "window")]
fn open(
    show: Show,
    device: Option<Arc<Device>>,
    events: Events,
    options: &Settings,
    (first, thumbnails, doorway): (Vec<Event>, Thumbnails, Doorway),
) -> anyhow::Result<()> {
    let window = crate::app::Options {
        fullscreen: options.fullscreen,
        output: options.output.clone(),
        size: options.size,
        hud: !options.no_hud,
        seconds: options.seconds,
        first,
        thumbnails,
        doorway,
    };
    Ok(crate::app::run(show, device, events, window)?)
}

/// Without the feature `window`, [`has_window`] is false.
#[cfg(not(feature = "window"))]
fn open(
    show: Show,
    _: Option<Arc<Device>>,
    events: Events,
    options: &Settings,
    _: (Vec<Event>, Thumbnails, Doorway),
) -> anyhow::Result<()> {
    headless(show, &events, options.seconds)
}

/// Frame interval without a window and without events.
const FRAME: Duration = Duration::from_micros(16_667);
/// Minimum frame interval: an event need not wait for the next frame, but a flood of them must not speed frames up further.
const SHORTEST_FRAME: Duration = Duration::from_millis(5);

/// Waits for the events of the next frame: until one arrives, or a sixtieth of a second after `last`, the start of the
/// last frame.
pub fn next_events(events: &Events, last: Instant, batch: &mut Vec<Event>) {
    std::thread::sleep(SHORTEST_FRAME.saturating_sub(last.elapsed()));
    batch.extend(events.recv_timeout(FRAME.saturating_sub(last.elapsed())));
    events.take_waiting(batch);
}

/// Plays without a window until Ctrl-C.
fn headless(mut show: Show, events: &Events, seconds: Option<f64>) -> anyhow::Result<()> {
    super::log();
    let stop = super::interrupted();
    let started = Instant::now();
    let (mut last, mut next_line) = (started, started + Duration::from_secs(1));
    let mut batch = Vec::with_capacity(control::QUEUE + 1);
    while !stop.load(Ordering::Relaxed) && seconds.is_none_or(|s| started.elapsed().as_secs_f64() < s) {
        batch.clear();
        next_events(events, last, &mut batch);
        let now = Instant::now();
        let passed = whole_micros(now - last);
        show.step(passed.as_secs_f64(), &batch);
        last += passed;
        if now >= next_line {
            next_line += Duration::from_secs(1);
            say!("{}", show.status());
        }
    }
    show.end_recording().iter().for_each(|line| say!("{line}"));
    Ok(())
}
