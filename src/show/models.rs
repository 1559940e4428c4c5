//! What plays, for those who draw pictures of their own with it: the networks, and how the styles are mixed.
//!
//! The show puts it down at the end of each frame without ever waiting; whoever looks at it gets copies of references.

use std::sync::{Arc, Mutex, PoisonError};

use crate::effects::style::StyleSettings;
use crate::network::Network;
use crate::network::style_transfer::StyleNetwork;
use crate::thread::free;

/// What plays.
#[derive(Clone, Debug)]
pub struct Models {
    pub network: Arc<Network>,
    pub style: Option<Arc<StyleNetwork>>,
    /// Of the style loop.
    pub settings: StyleSettings,
    /// The value of `/class`.
    pub class: f64,
}

/// What plays, for other threads. **Latest value wins.** Clones see the same.
#[derive(Clone, Debug)]
pub struct ModelsView(Arc<Mutex<Models>>);

impl ModelsView {
    pub fn new(models: Models) -> Self {
        ModelsView(Arc::new(Mutex::new(models)))
    }

    pub fn get(&self) -> Models {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what others see. While somebody looks at it, a frame is left out.
    pub fn put(&self, network: &Arc<Network>, style: Option<&Arc<StyleNetwork>>, settings: StyleSettings, class: f64) {
        let Ok(mut models) = self.0.try_lock() else { return };
        if !Arc::ptr_eq(&models.network, network) {
            free(std::mem::replace(&mut models.network, network.clone()));
        }
        if models.style.as_ref().map(Arc::as_ptr) != style.map(Arc::as_ptr) {
            free(std::mem::replace(&mut models.style, style.cloned()));
        }
        (models.settings, models.class) = (settings, class);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::stylegan2;

    #[test]
    fn a_frame_is_left_out_while_somebody_looks() {
        let [one, two] = [16, 32].map(|side| Arc::new(stylegan2::random(side, 128, 8, 8, 0)));
        let settings = StyleSettings::default();
        let view = ModelsView::new(Models { network: one.clone(), style: None, settings, class: 0.0 });
        let looking = view.0.lock().unwrap();
        view.put(&two, None, settings, 1.0);
        assert!(Arc::ptr_eq(&looking.network, &one));
        drop(looking);
        view.put(&two, None, settings, 1.0);
        let models = view.get();
        assert!(Arc::ptr_eq(&models.network, &two) && models.class == 1.0);
    }
}
