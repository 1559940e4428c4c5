//! Latents that were found for a picture, by us or by other tools: `projected_w.npz` of NVIDIA's projector, Autolume's `.npy`,
//! the `.pt` of rosinality's `projector.py`, and `.safetensors`.

use std::path::Path;

use super::arrays::{self, Array};
use crate::file::sources;

/// The names under which tools keep them; a single array may have any name.
const NAMES: [&str; 4] = ["ws", "w", "latent", "latents"];

/// Reads w `[1, w_dim]` or ws `[num_ws, w_dim]`; of the steps of an optimisation the last.
///
/// # Errors
/// One line without the file's name, when it cannot be read, or holds no latent.
pub fn open(path: &Path) -> Result<Vec<Vec<f32>>, String> {
    if let Some(rows) = sources::text(path).and_then(|text| arrays::rows_of(&text)) {
        return Ok(rows);
    }
    let rows = latent(arrays::open(path)?)?;
    // A take keeps the numbers.
    sources::note_text(path, &arrays::text_of(&rows));
    Ok(rows)
}

fn latent(mut found: Vec<(String, Array)>) -> Result<Vec<Vec<f32>>, String> {
    // rosinality keeps them under the name of the photograph.
    let is_called = |name: &str, known: &str| name == known || name.rsplit(['.', '/']).next() == Some(known);
    let at = NAMES.iter().find_map(|known| found.iter().position(|(name, _)| is_called(name, known)));
    let at = at.or((found.len() == 1).then_some(0)).ok_or_else(|| {
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).take(8).collect();
        format!("expected one of {} or a single array, found {}", NAMES.join(", "), names.join(", "))
    })?;
    let Array { shape, data } = found.swap_remove(at).1;
    let (count, w_dim) = match *shape.as_slice() {
        [w_dim] => (1, w_dim),
        [.., count, w_dim] => (count, w_dim),
        [] => (0, 0),
    };
    let fits = |length: &usize| (1..=data.len()).contains(length) && data.len().is_multiple_of(*length);
    let length = usize::checked_mul(count, w_dim).filter(fits).filter(|_| shape.len() <= 3);
    let length = length.ok_or_else(|| format!("expected w [D] or ws [num_ws, D], found {shape:?}"))?;
    let last = &data[data.len() - length..];
    Ok(arrays::finite(last)?.chunks_exact(w_dim).map(<[f32]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latents_of_others_are_read_and_steps_end_with_the_last() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/latent");
        let (rows, noted) = sources::observe(|| open(&fixtures.join("projected_w.npz")).unwrap());
        assert_eq!((rows.len(), rows[0].len()), (8, 64));
        let text = noted.texts.values().next().unwrap();
        assert_eq!(arrays::rows_of(text), Some(rows), "what a take keeps");
        let array = |shape: &[usize]| {
            let data = (0..shape.iter().product::<usize>()).map(|i| i as f64).collect();
            vec![("x".to_owned(), Array { shape: shape.to_vec(), data })]
        };
        assert_eq!(latent(array(&[3])), Ok(vec![vec![0.0, 1.0, 2.0]]));
        assert_eq!(latent(array(&[1, 3])), Ok(vec![vec![0.0, 1.0, 2.0]]));
        assert_eq!(latent(array(&[2, 2, 2])), Ok(vec![vec![4.0, 5.0], vec![6.0, 7.0]]));
        for wrong in [&[][..], &[0], &[2, 0], &[1, 1, 2, 2]] {
            assert!(latent(array(wrong)).unwrap_err().starts_with("expected w [D]"), "{wrong:?}");
        }
        let huge = Array { shape: vec![0, 1 << 33, 1 << 33], data: Vec::new() };
        assert!(latent(vec![("w".to_owned(), huge)]).unwrap_err().starts_with("expected w [D]"));
        let mut two = array(&[3]);
        two.extend(array(&[4]).into_iter().map(|(_, array)| ("photo.latent".to_owned(), array)));
        assert_eq!(latent(two.clone()).map(|rows| rows[0].len()), Ok(4));
        two[1].0 = "y".to_owned();
        assert!(latent(two).unwrap_err().ends_with("found x, y"));
    }
}
