//! Compiled kernels, kept on disk beside the measurements of `cache.rs`, so that a known network is ready at once. One file
//! for each adapter and driver. Written by the loading thread; a file that cannot be read or written costs a line in the log.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use sha2::{Digest, Sha256};

/// The compiled kernels of a device.
#[derive(Debug, Default)]
pub struct Pipelines {
    /// `None` where the backend has no such thing.
    cache: Option<wgpu::PipelineCache>,
    file: Option<PathBuf>,
    /// The hash of what is on disk.
    saved: Mutex<Vec<u8>>,
}

impl Pipelines {
    /// Those in a folder, if the device can keep any.
    pub fn open(device: &wgpu::Device, adapter: &wgpu::AdapterInfo, folder: Option<&Path>) -> Pipelines {
        let key = wgpu::util::pipeline_cache_key(adapter)
            .filter(|_| device.features().contains(wgpu::Features::PIPELINE_CACHE));
        let (Some(folder), Some(key)) = (folder, key) else { return Pipelines::default() };
        let file = folder.join(key);
        let data = match std::fs::read(&file) {
            Ok(data) => Some(data),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!("{}: {error}; kernels are compiled again", file.display());
                None
            }
        };
        let saved = Mutex::new(data.as_deref().map(hash_of).unwrap_or_default());
        let descriptor =
            wgpu::PipelineCacheDescriptor { label: Some("kernels"), data: data.as_deref(), fallback: true };
        // SAFETY: the file is this program's own; data of another device, driver or version, or a broken header, is refused.
        let cache = unsafe { device.create_pipeline_cache(&descriptor) };
        Pipelines { cache: Some(cache), file: Some(file), saved }
    }

    /// What pipelines are created with.
    pub fn cache(&self) -> Option<&wgpu::PipelineCache> {
        self.cache.as_ref()
    }

    /// Writes what was compiled since, if anything was: a temporary file, which is then renamed.
    pub fn save(&self) {
        let Some((data, file)) = self.cache.as_ref().and_then(wgpu::PipelineCache::get_data).zip(self.file.as_ref())
        else {
            return;
        };
        let hash = hash_of(&data);
        let mut saved = self.saved.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *saved == hash {
            return;
        }
        let aside = file.with_extension(format!("{}.part", std::process::id()));
        let written = std::fs::create_dir_all(file.parent().unwrap_or(Path::new("")))
            .and_then(|()| std::fs::write(&aside, data))
            .and_then(|()| std::fs::rename(&aside, file));
        if let Err(error) = written {
            tracing::warn!("{}: {error}; kernels will be compiled again at the next start", file.display());
        }
        // After a failure it is not tried again.
        *saved = hash;
    }
}

fn hash_of(data: &[u8]) -> Vec<u8> {
    Sha256::digest(data).to_vec()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::device::Device;
    use super::super::skip_test;
    use super::*;

    #[test]
    fn they_are_found_again_and_a_broken_file_is_replaced() {
        let device = match Device::open(false) {
            Ok(device) => device,
            Err(error) => return skip_test(error),
        };
        if !device.wgpu.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return skip_test("this adapter keeps no pipelines");
        }
        let folder = std::env::temp_dir().join(format!("latent-jockey-pipelines-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let info = device.wgpu.adapter_info();
        let open = || Pipelines::open(&device.wgpu, &info, Some(&folder));
        let pipelines = open();
        assert!(pipelines.cache().is_some());
        pipelines.save();
        let file = folder.join(wgpu::util::pipeline_cache_key(&info).unwrap());
        let whole = std::fs::read(&file).unwrap();
        assert!(!whole.is_empty());
        // Nothing new is not written.
        std::fs::remove_file(&file).unwrap();
        pipelines.save();
        assert!(!file.exists());
        for broken in [&[][..], b"not one", &whole[..whole.len() / 2]] {
            std::fs::write(&file, broken).unwrap();
            let pipelines = open();
            assert!(pipelines.cache().is_some(), "{} bytes", broken.len());
            pipelines.save();
            assert_eq!(std::fs::read(&file).unwrap().len(), whole.len(), "{} bytes", broken.len());
        }
        // Its folder is a file: it plays without.
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::write(&folder, "").unwrap();
        open().save();
        std::fs::remove_file(&folder).unwrap();
    }
}
