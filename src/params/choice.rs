//! Choices: enums that carry their words. Both the rows of the table and the readers of the values use the enum, so that
//! no code compares words with strings.

pub use crate::image::Fit;
pub use crate::image::words::Place;

/// An enum whose variants are the words of a [`Kind::Choice`](super::Kind::Choice), in the same order.
pub trait Choice: Copy + 'static {
    const WORDS: &'static [&'static str];

    /// The variant at a position; the last one for positions beyond it.
    fn from_index(index: usize) -> Self;

    /// The variant for a word.
    fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().position(|known| *known == word).map(Self::from_index)
    }
}

/// Gives an enum its words: every variant, in order.
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $crate::params::Choice for $name {
            const WORDS: &'static [&'static str] = &[$($word),*];

            fn from_index(index: usize) -> Self {
                const ALL: &[$name] = &[$($name::$variant),*];
                ALL[index.min(ALL.len() - 1)]
            }
        }
    };
}

pub(crate) use words;

/// Declares enums with their words.
macro_rules! choices {
    ($($(#[$about:meta])* $name:ident { $($(#[$variant_about:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_about])* $variant),*
        }
        words!($name { $($variant = $word),* });
    )*};
}

choices! {
    /// How z moves by itself: `/walk/kind`.
    WalkKind {
        Hold = "hold",
        #[default]
        Drift = "drift",
        Loop = "loop",
        Line = "line",
        /// Along the track of `/keys`.
        Keys = "keys",
    }

    /// How a track goes from key to key: `/keys/way`.
    TrackWay {
        /// Straight.
        Linear = "linear",
        /// On an arc about the mean w.
        #[default]
        Spherical = "spherical",
        /// On a smooth curve through all keys.
        Spline = "spline",
    }

    /// What happens at the end of a track: `/keys/end`.
    TrackEnd {
        /// From the last key back to the first.
        #[default]
        Loop = "loop",
        /// Backwards from the last key.
        PingPong = "ping-pong",
        Hold = "hold",
    }

    /// What a key takes: `/keys/take`.
    TrackTake {
        /// w before truncation: psi, mixing and directions go on moving it.
        #[default]
        W = "w",
        /// ws as the layers read them: all of the latent, as it is.
        Ws = "ws",
    }

    /// Which layers of a network something reaches: those that it names, or a zone.
    Zone {
        /// From one layer to another.
        #[default]
        Range = "range",
        /// Layers of small maps: composition and pose.
        Form = "form",
        Texture = "texture",
        /// Layers of large maps: colours and fine detail.
        Colour = "colour",
    }

    /// What a bend does with the map x of a layer: `/bend/<n>/kind`. a is the amount.
    BendKind {
        #[default]
        Off = "off",
        /// a·x
        Scale = "scale",
        /// x + a
        Add = "add",
        /// x + a·(1 − 2x)
        Invert = "invert",
        /// 1 where x > a, else 0.
        Threshold = "threshold",
        /// By a turns counter-clockwise, about the middle.
        Rotate = "rotate",
        /// By a widths of the picture, in the direction of the angle.
        Translate = "translate",
        /// Enlarged a times about the middle.
        Zoom = "zoom",
        /// Mirrored along the direction of the angle; a is how much of it is seen.
        Flip = "flip",
        /// The least within a disc with a radius of a samples.
        Erode = "erode",
        /// The most within it.
        Dilate = "dilate",
        /// A Gaussian with a deviation of a samples.
        Blur = "blur",
        /// x + a·n, n normal and the same in every picture.
        Noise = "noise",
        /// x + a·(F − x), F the map when this was switched on.
        Freeze = "freeze",
        /// y = x + a·(T(y before) − x), T a turn and a zoom.
        Feedback = "feedback",
    }

    /// What lies outside a map that is moved: `/bend/<n>/edge`.
    BendEdge {
        /// Nothing.
        #[default]
        Zero = "zero",
        /// Its border.
        Clamp = "clamp",
        /// The map again.
        Wrap = "wrap",
    }

    /// Which channels of a layer are bent: `/bend/<n>/cluster`.
    BendCluster {
        #[default]
        All = "all",
        /// The largest cluster.
        A = "a",
        B = "b",
        C = "c",
        D = "d",
        E = "e",
    }

    /// How a line goes from 0 to 1: `/walk/ease`.
    Ease {
        Linear = "linear",
        /// Soft at both ends: 6t⁵ − 15t⁴ + 10t³ (Perlin 2002), first and second derivative 0 at the ends.
        #[default]
        Smooth = "smooth",
        /// Rests at each end for a quarter of the way and moves smoothly in between.
        Hold = "hold",
    }

    /// What a speed or a duration counts in.
    TimeBase {
        #[default]
        Seconds = "seconds",
        Beats = "beats",
    }

    /// What may set the tempo: `/tempo/source`.
    TempoSource {
        /// An Ableton Link session with others in it, else a MIDI clock while one runs, else the beat that is heard while it
        /// is certain, else the show's own.
        #[default]
        Auto = "auto",
        /// The show's own: taps and `/tempo`.
        Tap = "tap",
        Midi = "midi",
        Audio = "audio",
        Link = "link",
        /// The beat is where the timecode is, at the show's own tempo.
        Timecode = "timecode",
    }

    /// Where per-layer noise comes from: `/noise/mode`.
    NoiseKind {
        #[default]
        Const = "const",
        Random = "random",
        None = "none",
    }

    /// What the painting keeps of the picture: `/style/keep/what`.
    Keep {
        /// The painting's light with the picture's colour.
        #[default]
        Colour = "colour",
        /// The painting's colour with the picture's light.
        Light = "light",
    }

    /// Shorter side of the painting: `/style/size`.
    StyleSize {
        S128 = "128",
        S192 = "192",
        #[default]
        S256 = "256",
        S384 = "384",
        S512 = "512",
    }

    /// The side of the square that pictures of `/input` are fitted into: `/input/size`.
    InputSize {
        /// The network's, and at least 512.
        #[default]
        Auto = "auto",
        S512 = "512",
        S1024 = "1024",
        S2048 = "2048",
    }

    /// The side of the maps from which the second network plays: `/network/swap`.
    SwapFrom {
        /// It plays everywhere.
        #[default]
        Off = "off",
        S4 = "4",
        S8 = "8",
        S16 = "16",
        S32 = "32",
        S64 = "64",
        S128 = "128",
        S256 = "256",
        S512 = "512",
        S1024 = "1024",
    }

    /// How the picture fills the output: `/fit`.
    Layout {
        /// The whole picture; the rest is black.
        Contain = "contain",
        /// The output is filled; the excess is cropped.
        Cover = "cover",
        /// The whole picture; the rest is filled with its mirror image.
        #[default]
        Mirror = "mirror",
        /// Mirrored sectors around the centre.
        Kaleidoscope = "kaleidoscope",
        /// The picture side by side with itself.
        Tile = "tile",
    }

    /// How the picture is enlarged: `/fit/scaler`.
    Kernel {
        /// Along edges on a graphics card, linear in software.
        #[default]
        Auto = "auto",
        /// Along edges, and sharpened.
        Edge = "edge",
        /// Exact: Lanczos with three lobes.
        Lanczos = "lanczos",
        Linear = "linear",
    }

    /// The size at which effects draw: `/fit/detail`.
    Detail {
        /// The output's on a graphics card; smaller in a window that is drawn in software.
        #[default]
        Auto = "auto",
        Full = "full",
        /// Half as wide and half as high.
        Half = "half",
        Third = "third",
        Quarter = "quarter",
    }

    /// How a recording is encoded: `/record/codec`.
    Codec {
        /// What the ending of the file suggests; H.264 where it does not say.
        #[default]
        Auto = "auto",
        H264 = "h264",
        Hevc = "hevc",
        Av1 = "av1",
        /// ProRes 422 HQ.
        Prores = "prores",
        /// For playing in VJ programs.
        Hap = "hap",
        /// DNxHR HQ.
        Dnxhr = "dnxhr",
        /// Lossless.
        Ffv1 = "ffv1",
        Gif = "gif",
        Webp = "webp",
        /// A folder of PNGs.
        Png = "png",
        /// A folder of OpenEXR files.
        Exr = "exr",
    }

    /// What a recording holds: `/record/what`.
    RecordWhat {
        /// What the audience sees.
        #[default]
        Output = "output",
        /// The network's picture, before all effects.
        Network = "network",
        /// Each in a file of its own.
        Both = "both",
    }
}

words!(Place { Bottom = "bottom", Middle = "middle", Top = "top" });
words!(Fit { Contain = "contain", Cover = "cover", Mirror = "mirror" });

impl TimeBase {
    /// How many of these pass per second at `bpm` beats per minute.
    pub fn per_second(self, bpm: f64) -> f64 {
        match self {
            TimeBase::Seconds => 1.0,
            TimeBase::Beats => bpm / 60.0,
        }
    }
}

impl SwapFrom {
    /// In pixels; `None` when it is off.
    pub fn pixels(self) -> Option<usize> {
        (self != SwapFrom::Off).then(|| 2 << self as usize)
    }
}

impl InputSize {
    /// In pixels; `auto` with a network of this size.
    pub fn pixels(self, network: usize) -> usize {
        match self {
            // Large enough for the network's picture, and for the largest painting over it.
            InputSize::Auto => network.max(512),
            InputSize::S512 => 512,
            InputSize::S1024 => 1024,
            InputSize::S2048 => 2048,
        }
    }
}

impl StyleSize {
    pub fn pixels(self) -> usize {
        match self {
            StyleSize::S128 => 128,
            StyleSize::S192 => 192,
            StyleSize::S256 => 256,
            StyleSize::S384 => 384,
            StyleSize::S512 => 512,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_variants_have_the_same_order() {
        fn check<T: Choice + PartialEq + std::fmt::Debug>(variants: &[T]) {
            assert_eq!(variants.len(), T::WORDS.len());
            for (i, variant) in variants.iter().enumerate() {
                assert_eq!(T::from_index(i), *variant);
                let name = format!("{variant:?}").to_lowercase();
                assert_eq!(name.trim_start_matches(|c| name.ends_with(char::is_numeric) && c == 's'), T::WORDS[i]);
            }
            assert_eq!(T::from_index(99), variants[variants.len() - 1]);
            assert!(T::WORDS.iter().zip(variants).all(|(word, variant)| T::from_word(word) == Some(*variant)));
            assert_eq!(T::from_word("no word"), None);
        }
        check(&[WalkKind::Hold, WalkKind::Drift, WalkKind::Loop, WalkKind::Line, WalkKind::Keys]);
        check(&[Ease::Linear, Ease::Smooth, Ease::Hold]);
        check(&[TimeBase::Seconds, TimeBase::Beats]);
        let followed = [TempoSource::Midi, TempoSource::Audio, TempoSource::Link, TempoSource::Timecode];
        check(&[&[TempoSource::Auto, TempoSource::Tap], &followed[..]].concat());
        check(&[BendEdge::Zero, BendEdge::Clamp, BendEdge::Wrap]);
        check(&[BendCluster::All, BendCluster::A, BendCluster::B, BendCluster::C, BendCluster::D, BendCluster::E]);
        check(&[
            BendKind::Off,
            BendKind::Scale,
            BendKind::Add,
            BendKind::Invert,
            BendKind::Threshold,
            BendKind::Rotate,
            BendKind::Translate,
            BendKind::Zoom,
            BendKind::Flip,
            BendKind::Erode,
            BendKind::Dilate,
            BendKind::Blur,
            BendKind::Noise,
            BendKind::Freeze,
            BendKind::Feedback,
        ]);
        check(&[NoiseKind::Const, NoiseKind::Random, NoiseKind::None]);
        check(&[Keep::Colour, Keep::Light]);
        check(&[Fit::Contain, Fit::Cover, Fit::Mirror]);
        check(&[Layout::Contain, Layout::Cover, Layout::Mirror, Layout::Kaleidoscope, Layout::Tile]);
        check(&[Kernel::Auto, Kernel::Edge, Kernel::Lanczos, Kernel::Linear]);
        check(&[Detail::Auto, Detail::Full, Detail::Half, Detail::Third, Detail::Quarter]);
        check(&[
            Codec::Auto,
            Codec::H264,
            Codec::Hevc,
            Codec::Av1,
            Codec::Prores,
            Codec::Hap,
            Codec::Dnxhr,
            Codec::Ffv1,
            Codec::Gif,
            Codec::Webp,
            Codec::Png,
            Codec::Exr,
        ]);
        check(&[RecordWhat::Output, RecordWhat::Network, RecordWhat::Both]);
        let sizes = [StyleSize::S128, StyleSize::S192, StyleSize::S256, StyleSize::S384, StyleSize::S512];
        check(&sizes);
        assert!(sizes.iter().zip(StyleSize::WORDS).all(|(size, word)| size.pixels().to_string() == *word));
        check(&[InputSize::Auto, InputSize::S512, InputSize::S1024, InputSize::S2048]);
        assert_eq!([256, 1024].map(|network| InputSize::Auto.pixels(network)), [512, 1024]);
        let swaps = SwapFrom::WORDS.iter().enumerate().map(|(i, word)| (SwapFrom::from_index(i).pixels(), word));
        swaps.for_each(|(pixels, word)| assert_eq!(pixels, word.parse().ok()));
    }
}
