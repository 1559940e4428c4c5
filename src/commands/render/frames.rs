//! Which frames of a take a video shows, and which of them are drawn.

use crate::record::take::Take;

/// The frames of a video: number `first` and those after it, before `end`, each at its number divided by the frame rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Part {
    pub first: u64,
    pub end: u64,
}

impl Part {
    /// Parts that follow one another have the frames of the whole. `last` is the time of the take's last frame.
    pub fn new(from: Option<f64>, to: Option<f64>, last: f64, fps: f64) -> Part {
        const SLACK: f64 = 1e-6;
        let ceil = |secs: f64| (secs * fps - SLACK).ceil().max(0.0) as u64;
        let all = (last * fps + SLACK).floor() as u64 + 1;
        let end = to.map_or(all, |to| ceil(to).min(all));
        Part { first: ceil(from.unwrap_or(0.0)).min(end), end }
    }
}

/// A take's frames, and those of the video.
pub(in crate::commands) struct Frames {
    /// The times of the take's frames in seconds; the one with which it begins is at 0.
    pub times: Vec<f64>,
    /// For each frame of the video, the take's frame that is nearest in time.
    pub shown: Vec<usize>,
    /// Whether each frame of the take is drawn.
    pub drawn: Vec<bool>,
}

/// The times of a take's frames in seconds; the one with which it begins is at 0.
pub(in crate::commands) fn times(take: &Take) -> Vec<f64> {
    let mut now = 0.0;
    let times: Vec<f64> = take
        .frames
        .iter()
        .map(|frame| {
            now += frame.dt;
            now
        })
        .collect();
    let start = times[take.start];
    times.into_iter().map(|time| time - start).collect()
}

impl Frames {
    /// With `smooth`, every frame that the video shows is drawn, and no other since its first one; otherwise those that were
    /// drawn live.
    pub fn new(take: &Take, times: Vec<f64>, part: Part, fps: f64, smooth: bool) -> Frames {
        let middle = |i: usize| times.get(i + 1).map_or(f64::INFINITY, |next| (times[i] + next) / 2.0);
        let (mut shown, mut i) = (Vec::with_capacity((part.end - part.first) as usize), 0);
        for number in part.first..part.end {
            while number as f64 / fps >= middle(i) {
                i += 1;
            }
            shown.push(i);
        }
        let mut drawn: Vec<bool> = take.frames.iter().map(|frame| frame.is_drawn).collect();
        if smooth && let Some(begin) = shown.first() {
            drawn[*begin..].fill(false);
            shown.iter().for_each(|i| drawn[*i] = true);
        }
        Frames { times, shown, drawn }
    }

    /// The frame whose picture is shown in frame `i`: the last one that is drawn, if there is one.
    pub fn last_drawn(&self, i: usize) -> Option<usize> {
        self.drawn[..=i].iter().rposition(|is_drawn| *is_drawn)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn parts_make_up_the_whole() {
        let part = |from, to| Part::new(from, to, 9.0, 30.0);
        assert_eq!(part(None, None), Part { first: 0, end: 271 });
        let moments = [0.0, 2.5, 2.51, 7.77, 20.0];
        let mut next = 0;
        for pair in moments.windows(2) {
            let part = part(Some(pair[0]), Some(pair[1]));
            assert_eq!(part.first, next, "{pair:?}");
            next = part.end;
        }
        assert_eq!(next, 271);
        let after = part(Some(30.0), None);
        assert_eq!(after.first, after.end, "nothing is left there");
    }

    #[test]
    fn each_frame_shows_the_nearest_picture() {
        // At -0.1, 0, 0.1, 0.4 and 0.5 s.
        let text = concat!(
            "{\"take\":1,\"program\":\"\",\"engine\":\"cpu\",\"preset\":\"a.toml\",\"screen\":false}\n",
            "{\"dt\":[0],\"drew\":\"0\"}\n{\"start\":true}\n",
            "{\"dt\":[100000,100000,300000,100000],\"drew\":\".0.0\"}\n"
        );
        let take = Take::parse(text.as_bytes(), Path::new("x.take")).unwrap();
        let of = |smooth| Frames::new(&take, times(&take), Part { first: 0, end: 6 }, 10.0, smooth);
        assert_eq!(of(false).shown, [1, 2, 2, 3, 3, 4]);
        assert_eq!(of(false).drawn, [true, false, true, false, true]);
        assert_eq!(of(true).drawn, [true, true, true, true, true]);
        let some = Frames::new(&take, times(&take), Part { first: 1, end: 2 }, 10.0, true);
        assert_eq!((some.shown, some.drawn), (vec![2], vec![true, false, true, false, false]));
        let frames = of(false);
        assert_eq!((frames.last_drawn(1), frames.last_drawn(3)), (Some(0), Some(2)));
    }
}
