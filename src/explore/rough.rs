//! Rough pictures for the explorer: found out about while nobody waits, or beside slow whole ones, then drawn before these.
//!
//! The first [`FITTED`] seeds of a network are fitted, and the next [`JUDGED`] judge. Most of these pictures have been drawn anyway, for
//! the first page: their reduced copies are kept until then. One step is one picture, so that nobody waits for long. What was
//! found is kept in the cache folder. Runs on the thread `explore`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use image::RgbImage;
use image::imageops::replace;

use super::studio::{Settings, Studio};
use crate::engine::plan::Plan;
use crate::engine::{EngineError, Inputs, Program};
use crate::image::Image;
use crate::network::Network;
use crate::network::rough::{Fit, Found, Judge, Mixture, keep, known, plan, reduced};

/// Seeds whose pictures are fitted, from 0.
const FITTED: u32 = 16;
/// Seeds after these that judge.
const JUDGED: u32 = 16;
/// Truncation psi of both.
const PSI: f32 = 1.0;

/// Prepares a plan.
pub type Prepare = dyn FnMut(Arc<Plan>) -> Result<Box<dyn Program>, String> + Send;

/// The rough pictures of a network.
pub struct Rough {
    network: Arc<Network>,
    /// Beginning of the hash of its file.
    id: String,
    cache: Option<PathBuf>,
    state: State,
    /// `None` before the first one is drawn, and after a rest.
    program: Option<Box<dyn Program>>,
    image: Image,
}

enum State {
    /// There are none.
    Without,
    Fitting(Box<Fitting>),
    Known(Arc<Plan>, Mixture),
}

/// What is found out, one picture after another.
struct Fitting {
    plan: Arc<Plan>,
    /// Height and width.
    size: [usize; 2],
    /// Whole pictures by their seeds, reduced.
    wholes: HashMap<u32, Vec<f32>>,
    fit: Fit,
    /// What is being judged, once all are fitted.
    judged: Option<(Mixture, Judge)>,
}

impl Fitting {
    /// The seed of the next step.
    fn next(&self) -> u32 {
        (self.fit.pictures() + self.judged.as_ref().map_or(0, |(_, judge)| judge.pictures())) as u32
    }
}

impl Rough {
    /// What was found before is kept in the folder `cache`.
    pub fn new(network: Arc<Network>, id: &str, cache: Option<PathBuf>) -> Rough {
        let small = plan(&network.plan).and_then(|plan| plan.picture().cloned().map(|picture| (plan, picture)));
        let state = match small {
            None => State::Without,
            Some((plan, picture)) => match cache.as_deref().and_then(|folder| known(folder, id, picture.channels)) {
                Some(found) if found.is_good() => State::Known(Arc::new(plan), found.mixture),
                Some(_) => State::Without,
                None => {
                    let (fit, size) = (Fit::new(picture.channels), [picture.height, picture.width]);
                    let fitting = Fitting { plan: Arc::new(plan), size, wholes: HashMap::new(), fit, judged: None };
                    State::Fitting(Box::new(fitting))
                }
            },
        };
        Rough { network, id: id.to_owned(), cache, state, program: None, image: Image::default() }
    }

    /// Whether there are any; `None` until that is known.
    pub fn is_there(&self) -> Option<bool> {
        match self.state {
            State::Without => Some(false),
            State::Fitting(_) => None,
            State::Known(..) => Some(true),
        }
    }

    /// Whether the whole picture that the next step needs has been drawn.
    pub fn is_ready(&self) -> bool {
        matches!(&self.state, State::Fitting(fitting) if fitting.wholes.contains_key(&fitting.next()))
    }

    /// Remembers the whole picture of a seed, if it is of use.
    pub fn note(&mut self, seed: u32, settings: &Settings, picture: &RgbImage) {
        let own = self.settings(seed);
        if let State::Fitting(fitting) = &mut self.state
            && seed < FITTED + JUDGED
            && *settings == own
        {
            fitting.wholes.entry(seed).or_insert_with(|| reduced(picture, fitting.size));
        }
    }

    /// The settings of a picture that is fitted: seeds are spread over the classes.
    fn settings(&self, seed: u32) -> Settings {
        let classes = self.network.mapping.c_dim.max(1);
        Settings { psi: PSI, class: (seed as usize % classes) as f64 }
    }

    /// Fits or judges one picture.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn step(&mut self, studio: &mut Studio, prepare: &mut Prepare) -> Result<(), String> {
        let State::Fitting(fitting) = &self.state else { return Ok(()) };
        let seed = fitting.next();
        let settings = self.settings(seed);
        let (_, ws) = studio.latent(seed, &settings);
        let State::Fitting(fitting) = &mut self.state else { return Ok(()) };
        let failed = |error: EngineError| error.to_string();
        let whole = match fitting.wholes.remove(&seed) {
            Some(whole) => whole,
            None => reduced(&studio.draw(&ws).map_err(failed)?, fitting.size),
        };
        let program = opened(&mut self.program, &fitting.plan, prepare)?;
        program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut self.image).map_err(failed)?;
        let Some((mixture, judge)) = &mut fitting.judged else {
            fitting.fit.add(&self.image, &whole);
            if fitting.fit.pictures() == FITTED as usize {
                let mixture = fitting.fit.mixture().ok_or("their numbers are not finite")?;
                fitting.judged = Some((mixture, Judge::default()));
            }
            return Ok(());
        };
        judge.add(&mixture.of(&self.image), &whole);
        if judge.pictures() < JUDGED as usize {
            return Ok(());
        }
        let found = Found { mixture: mixture.clone(), r2: judge.r2() };
        tracing::debug!("{}: rough pictures have an R² of {:.3}", self.network.path.display(), found.r2);
        if let Some(folder) = &self.cache {
            keep(folder, &self.id, &found);
        }
        match found.is_good() {
            true => self.state = State::Known(fitting.plan.clone(), found.mixture),
            false => self.give_up(),
        }
        Ok(())
    }

    /// There are none.
    pub fn give_up(&mut self) {
        (self.state, self.program) = (State::Without, None);
    }

    /// Gives memory back that is allocated again when it is needed.
    pub fn rest(&mut self) {
        self.program = None;
    }

    /// The rough picture of ws `[num_ws, w_dim]`; `None` if there are none.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn draw(&mut self, ws: &[f32], prepare: &mut Prepare) -> Result<Option<RgbImage>, String> {
        let State::Known(plan, mixture) = &self.state else { return Ok(None) };
        let program = opened(&mut self.program, plan, prepare)?;
        let inputs = Inputs { ws, ..Inputs::default() };
        program.draw(&inputs, &mut self.image).map_err(|error| error.to_string())?;
        Ok(Some(mixture.picture(&self.image)))
    }
}

/// The plan, prepared.
fn opened<'a>(
    program: &'a mut Option<Box<dyn Program>>,
    plan: &Arc<Plan>,
    prepare: &mut Prepare,
) -> Result<&'a mut dyn Program, String> {
    match program {
        Some(program) => Ok(&mut **program),
        none => Ok(&mut **none.insert(prepare(plan.clone())?)),
    }
}

/// Pictures of one size, below one another.
pub fn strip(pictures: &[RgbImage]) -> RgbImage {
    let (width, height) = pictures.first().map_or((0, 0), RgbImage::dimensions);
    let mut strip = RgbImage::new(width, height * pictures.len() as u32);
    let places = (0..).map(|at| i64::from(height) * at);
    pictures.iter().zip(places).for_each(|(picture, y)| replace(&mut strip, picture, 0, y));
    strip
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::engine::Engine;
    use crate::engine::cpu::Cpu;
    use crate::network;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("latent-jockey-explore-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    fn fixture(file: &str) -> Arc<Network> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file);
        Arc::new(network::open(path).unwrap())
    }

    /// What draws whole pictures, and what prepares plans.
    fn begin(network: &Arc<Network>) -> (Studio, Box<Prepare>) {
        let engine = Cpu::new(2);
        let studio = Studio::new(network.clone(), engine.prepare(network.plan.clone()).unwrap());
        (studio, Box::new(move |plan| engine.prepare(plan).map_err(|error| error.to_string())))
    }

    #[test]
    fn rough_pictures_are_fitted_once_and_kept() {
        let (folder, network) = (folder("rough"), fixture("sg2_32_cond.pkl"));
        let (mut studio, mut prepare) = begin(&network);
        let start = || Rough::new(network.clone(), "id", Some(folder.clone()));
        let mut rough = start();
        assert_eq!(rough.is_there(), None);
        let settings = rough.settings(3);
        assert!(settings.class > 0.0, "the seeds are spread over the classes");
        rough.note(4, &Settings { psi: 0.1, ..rough.settings(4) }, &RgbImage::new(32, 32));
        let State::Fitting(fitting) = &rough.state else { panic!("it is being found out") };
        assert!(fitting.wholes.is_empty(), "of no use");
        // Its whole pictures, as far as this test is concerned: the rough ones in other colours, enlarged.
        let mut small = Cpu::new(2).prepare(fitting.plan.clone()).unwrap();
        let mut whole = |studio: &mut Studio, seed: u32, settings: &Settings| {
            let ((_, ws), mut image) = (studio.latent(seed, settings), Image::default());
            small.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut image).unwrap();
            let [red, green] = [0, 1].map(|channel| image.data[channel * 256..][..256].to_vec());
            RgbImage::from_fn(32, 32, |x, y| {
                let at = (y / 2 * 16 + x / 2) as usize;
                let byte = |x: f32| crate::image::convert::byte_from_float(0.3 * x.clamp(-2.0, 2.0));
                image::Rgb([byte(green[at]), byte(red[at]), byte(0.5)])
            })
        };
        for seed in 0..FITTED + JUDGED {
            let settings = rough.settings(seed);
            rough.note(seed, &settings, &whole(&mut studio, seed, &settings));
        }
        let mut steps = 0;
        while rough.is_there().is_none() {
            let (_, ws) = studio.latent(0, &settings);
            assert!(rough.draw(&ws, &mut prepare).unwrap().is_none(), "it is not known yet");
            rough.step(&mut studio, &mut prepare).unwrap();
            if steps == 20 {
                rough.rest();
            }
            steps += 1;
        }
        assert_eq!((steps, rough.is_there()), ((FITTED + JUDGED) as usize, Some(true)));
        // The next start has them at once.
        let mut again = start();
        assert_eq!(again.is_there(), Some(true));
        let (_, ws) = studio.latent(70, &settings);
        let [first, second] = [&mut rough, &mut again].map(|rough| rough.draw(&ws, &mut prepare).unwrap().unwrap());
        assert_eq!((first.dimensions(), &first), ((16, 16), &second));
        let strip = strip(&[first.clone(), second, RgbImage::new(16, 16)]);
        assert_eq!((strip.dimensions(), strip.get_pixel(5, 16 + 7)), ((16, 48), first.get_pixel(5, 7)));
        // They are like the whole one.
        let expected = reduced(&whole(&mut studio, 70, &settings), [16, 16]);
        let far = reduced(&first, [16, 16]).iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 0.1, "{far}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn where_they_are_bad_there_are_none() {
        let (folder, network) = (folder("rough-bad"), fixture("sg2_32_cond.pkl"));
        let (mut studio, mut prepare) = begin(&network);
        let mut rough = Rough::new(network.clone(), "id", Some(folder.clone()));
        // Pictures that have nothing to do with their maps.
        for seed in 0..FITTED + JUDGED {
            let noise = RgbImage::from_fn(32, 32, |x, y| {
                let bits = (x / 2 + 31 * (y / 2) + 977 * seed).wrapping_mul(2_654_435_761);
                image::Rgb([(bits >> 24) as u8, (bits >> 16) as u8, (bits >> 8) as u8])
            });
            rough.note(seed, &rough.settings(seed), &noise);
        }
        while rough.is_there().is_none() {
            rough.step(&mut studio, &mut prepare).unwrap();
        }
        let (_, ws) = studio.latent(0, &Settings { psi: 1.0, class: 0.0 });
        assert_eq!((rough.is_there(), rough.draw(&ws, &mut prepare)), (Some(false), Ok(None)));
        // That is kept, too.
        assert_eq!(Rough::new(network, "id", Some(folder.clone())).is_there(), Some(false));
        std::fs::remove_dir_all(folder).unwrap();
        // Too small to be cut.
        assert_eq!(Rough::new(fixture("sg2_16_p2.pkl"), "id", None).is_there(), Some(false));
    }
}
