//! Directions that were found before, in `latent-jockey/directions` in the cache folder: a safetensors file for each network,
//! named by the hash of its file.

use std::collections::HashMap;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::SEEDS;
use crate::latent::directions::{Direction, Origin};
use crate::network::Network;
use crate::network::kept::Kept;

/// Changes with every rule by which directions are found, ranked or signed.
const RULES: u32 = 1;
/// Largest file of directions.
const MOST_CACHED: u64 = 1 << 20;
/// Added to the numbers of style directions.
const STYLE: f32 = 4096.0;

/// Where the directions of a network are kept.
pub struct Key(Kept);

impl Key {
    /// `None` for a network without a file, or where there is no cache folder.
    pub fn of(network: &Network) -> Option<Key> {
        Kept::of(network, "directions", &format!("{RULES}-{SEEDS}")).map(Key)
    }

    /// The directions, if they are there and whole.
    pub fn read(&self, w_dim: usize) -> Option<Vec<Direction>> {
        let bytes = self.0.read(MOST_CACHED)?;
        let tensors = SafeTensors::deserialize(&bytes).ok()?;
        let numbers = |name: &str| {
            let view = tensors.tensor(name).ok().filter(|view| view.dtype() == Dtype::F32)?;
            Some(view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<f32>>())
        };
        let (vectors, table) = (numbers("vectors")?, numbers("table")?);
        let (rows, _) = table.as_chunks::<4>();
        let is_whole = vectors.len() == rows.len() * w_dim && vectors.iter().chain(&table).all(|x| x.is_finite());
        is_whole.then(|| {
            let vectors = vectors.chunks_exact(w_dim.max(1));
            let rows = rows.iter().zip(vectors).map(|([origin, sigma, effect, change], vector)| Direction {
                origin: match *origin {
                    number if number >= STYLE => Origin::Style((number - STYLE) as usize),
                    number => Origin::Principal(number as usize),
                },
                vector: vector.to_vec(),
                sigma: *sigma,
                effect: *effect,
                change: *change,
            });
            rows.collect()
        })
    }

    /// A failure costs one line; they are found again next time.
    pub fn write(&self, directions: &[Direction]) {
        self.0.write(|| Key::bytes(directions));
    }

    fn bytes(directions: &[Direction]) -> std::io::Result<Vec<u8>> {
        let number = |origin: Origin| match origin {
            Origin::Principal(number) => number as f32,
            Origin::Style(number) => number as f32 + STYLE,
        };
        let bytes = |numbers: Vec<f32>| numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
        let w_dim = directions.first().map_or(0, |direction| direction.vector.len());
        let vectors = bytes(directions.iter().flat_map(|direction| direction.vector.iter().copied()).collect());
        let rows = directions
            .iter()
            .flat_map(|direction| [number(direction.origin), direction.sigma, direction.effect, direction.change]);
        let table = bytes(rows.collect());
        let view = |width: usize, bytes| {
            TensorView::new(Dtype::F32, vec![directions.len(), width], bytes).map_err(std::io::Error::other)
        };
        let tensors = HashMap::from([("vectors", view(w_dim, &vectors)?), ("table", view(4, &table)?)]);
        safetensors::serialize(tensors, None).map_err(std::io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::network;

    #[test]
    fn what_was_found_is_kept_by_the_hash_of_the_file() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-directions-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let [first, copy] = ["sg2_32.safetensors", "copy.safetensors"].map(|name| folder.join(name));
        std::fs::copy(fixtures.join("sg2_32.safetensors"), &first).unwrap();
        std::fs::copy(&first, &copy).unwrap();
        let key =
            |file: &Path| Key(Kept::in_folder(&folder, &network::open(file).unwrap(), "directions", "1").unwrap());
        let some = |origin| Direction { origin, vector: vec![0.5, -1.0], sigma: 0.25, effect: 3.0, change: 0.5 };
        let written = vec![some(Origin::Principal(3)), some(Origin::Style(1))];
        assert_eq!(key(&first).read(2), None);
        key(&first).write(&written);
        assert_eq!(key(&copy).read(2), Some(written), "it is the same network");
        assert_eq!(key(&first).read(3), None, "not of this network");
        std::fs::write(key(&first).0.path(), b"broken").unwrap();
        assert_eq!(key(&first).read(2), None);
        assert_ne!(key(&fixtures.join("sg2_32.pkl")).0.path(), key(&first).0.path());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
