//! A Syphon server, with Metal. macOS only.

use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use objc2::msg_send;
use objc2::rc::{Allocated, Retained, autoreleasepool};
use objc2::runtime::{AnyClass, AnyObject, ProtocolObject};
use objc2_foundation::{NSPoint, NSRect, NSSize, NSString};
use objc2_metal::{
    MTLCommandBuffer, MTLCommandQueue, MTLCreateSystemDefaultDevice, MTLDevice, MTLOrigin, MTLPixelFormat, MTLRegion,
    MTLSize, MTLTexture, MTLTextureDescriptor,
};

use super::super::{Pixels, listed};

/// The library in the framework.
const FILE: &str = "Syphon.framework/Syphon";

/// Where the framework may be: the player's, the machine's, or beside the program.
fn places() -> Vec<PathBuf> {
    let home = dirs::home_dir().map(|home| home.join("Library/Frameworks"));
    let program = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
    let beside = program.into_iter().flat_map(|folder| [folder.join("../Frameworks"), folder]);
    let folders = home.into_iter().chain([PathBuf::from("/Library/Frameworks")]).chain(beside);
    folders.map(|folder| folder.join(FILE)).collect()
}

/// The class, and where it comes from. The framework is never unloaded.
fn class() -> Result<(&'static AnyClass, PathBuf), String> {
    let places = places();
    let Some(path) = places.iter().find(|path| path.exists()) else {
        let from = "https://github.com/Syphon/Syphon-Framework/releases";
        return Err(format!("no framework, looked for {}; put Syphon.framework there ({from})", listed(&places)));
    };
    // SAFETY: the library is the one that the player has installed to be loaded like this.
    let file = unsafe { libloading::Library::new(path) };
    let _forever = ManuallyDrop::new(file.map_err(|error| format!("cannot load {}: {error}", path.display()))?);
    let class = AnyClass::get(c"SyphonMetalServer");
    let class = class.ok_or_else(|| format!("{} is too old: it has no SyphonMetalServer", path.display()))?;
    Ok((class, path.clone()))
}

/// What pictures are sent with.
pub(in super::super) fn available() -> Result<String, String> {
    class().map(|(_, path)| path.display().to_string())
}

/// A server, and the texture that it copies.
pub(in super::super) struct Sender {
    name: String,
    server: Retained<AnyObject>,
    device: Retained<ProtocolObject<dyn MTLDevice>>,
    queue: Retained<ProtocolObject<dyn MTLCommandQueue>>,
    texture: Option<Retained<ProtocolObject<dyn MTLTexture>>>,
    bgra: Vec<u8>,
}

impl Sender {
    /// Offers a server of that name to the programs on this machine.
    pub fn open(name: &str) -> Result<Self, String> {
        let (class, path) = class()?;
        let device = MTLCreateSystemDefaultDevice().ok_or("no graphics card with Metal")?;
        let queue = device.newCommandQueue().ok_or("Metal gives no command queue")?;
        let own = NSString::from_str(name);
        // SAFETY: as `SyphonMetalServer.h` declares it: a name, a device and no options; nil if it cannot begin.
        let server: Option<Retained<AnyObject>> = autoreleasepool(|_| unsafe {
            let server: Allocated<AnyObject> = msg_send![class, alloc];
            msg_send![server, initWithName: &*own, device: &*device, options: None::<&AnyObject>]
        });
        let server = server.ok_or_else(|| format!("{} refuses a server called {name:?}", path.display()))?;
        Ok(Sender { name: name.to_owned(), server, device, queue, texture: None, bgra: Vec::new() })
    }

    /// A texture of that width and height.
    fn texture(&mut self, [width, height]: [usize; 2]) -> Result<&ProtocolObject<dyn MTLTexture>, String> {
        if self.texture.as_ref().is_none_or(|texture| [texture.width(), texture.height()] != [width, height]) {
            let format = MTLPixelFormat::BGRA8Unorm;
            // SAFETY: a size that Metal does not have gives no texture.
            let about = unsafe {
                MTLTextureDescriptor::texture2DDescriptorWithPixelFormat_width_height_mipmapped(
                    format, width, height, false,
                )
            };
            self.texture = self.device.newTextureWithDescriptor(&about);
        }
        self.texture.as_deref().ok_or_else(|| format!("Metal has no texture of {width}x{height}"))
    }

    fn draw(&mut self, picture: &Pixels) -> Result<(), String> {
        let [width, height] = picture.size.map(|side| side as usize);
        let mut bgra = std::mem::take(&mut self.bgra);
        super::surface(picture.rgba, picture.size[0], &mut bgra);
        let texture = self.texture([width, height])?;
        let whole = MTLRegion { origin: MTLOrigin { x: 0, y: 0, z: 0 }, size: MTLSize { width, height, depth: 1 } };
        // SAFETY: the bytes are a picture of the texture's size, as the caller has checked.
        unsafe {
            texture.replaceRegion_mipmapLevel_withBytes_bytesPerRow(
                whole,
                0,
                NonNull::from(bgra.as_slice()).cast(),
                width * 4,
            );
        }
        let buffer = self.queue.commandBuffer().ok_or("Metal gives no command buffer")?;
        let region = NSRect::new(NSPoint::new(0.0, 0.0), NSSize::new(width as f64, height as f64));
        let texture = self.texture([width, height])?;
        let texture: *const ProtocolObject<dyn MTLTexture> = texture;
        // SAFETY: as `SyphonMetalServer.h` declares it; the rows begin at the bottom already. The texture lives as long as `self`.
        let () = unsafe {
            msg_send![&*self.server, publishFrameTexture: &*texture, onCommandBuffer: &*buffer, imageRegion: region, flipped: false]
        };
        buffer.commit();
        // The next picture must not change the texture before.
        buffer.waitUntilCompleted();
        self.bgra = bgra;
        Ok(())
    }
}

impl super::super::Sender for Sender {
    fn name(&self) -> &str {
        &self.name
    }

    /// Syphon tells only whether anybody receives.
    fn receivers(&mut self) -> Option<u32> {
        // SAFETY: as `SyphonMetalServer.h` declares it.
        let has_clients: bool = autoreleasepool(|_| unsafe { msg_send![&*self.server, hasClients] });
        if has_clients { None } else { Some(0) }
    }

    fn send(&mut self, picture: &Pixels) -> Result<(), String> {
        let [width, height] = picture.size;
        if picture.rgba.is_empty() || picture.rgba.len() != width as usize * height as usize * 4 {
            return Err(format!("a picture of {width}x{height} has {} bytes", picture.rgba.len()));
        }
        autoreleasepool(|_| self.draw(picture))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // SAFETY: as `SyphonMetalServer.h` declares it.
        autoreleasepool(|_| unsafe {
            let () = msg_send![&*self.server, stop];
        });
    }
}
