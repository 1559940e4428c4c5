//! A Spout sender, with Direct3D 11. Windows only.

use windows::Win32::Foundation::{E_FAIL, HMODULE};
use windows::Win32::Graphics::Direct3D::{D3D_DRIVER_TYPE, D3D_DRIVER_TYPE_HARDWARE, D3D_DRIVER_TYPE_WARP};
use windows::Win32::Graphics::Direct3D11::{
    D3D11_BIND_RENDER_TARGET, D3D11_BIND_SHADER_RESOURCE, D3D11_CREATE_DEVICE_FLAG, D3D11_RESOURCE_MISC_SHARED,
    D3D11_SDK_VERSION, D3D11_TEXTURE2D_DESC, D3D11_USAGE_DEFAULT, D3D11CreateDevice, ID3D11Device, ID3D11DeviceContext,
    ID3D11Texture2D,
};
use windows::Win32::Graphics::Dxgi::Common::{DXGI_FORMAT_B8G8R8A8_UNORM, DXGI_SAMPLE_DESC};
use windows::Win32::Graphics::Dxgi::IDXGIResource;
use windows::core::{Interface, Result};

use super::super::Pixels;
use super::listing::Listing;

/// Width and height of the texture before the first picture.
const FIRST: [u32; 2] = [16, 16];

/// What can draw a shared texture.
pub(in super::super) fn available() -> std::result::Result<String, String> {
    match device() {
        Ok((_, _, is_card)) => Ok(if is_card { "Direct3D 11" } else { "Direct3D 11 in software" }.to_owned()),
        Err(error) => Err(format!("no Direct3D 11: {error}")),
    }
}

/// The first graphics card, or software; and whether it is a card.
fn device() -> Result<(ID3D11Device, ID3D11DeviceContext, bool)> {
    device_of(D3D_DRIVER_TYPE_HARDWARE).or_else(|_| device_of(D3D_DRIVER_TYPE_WARP))
}

fn device_of(kind: D3D_DRIVER_TYPE) -> Result<(ID3D11Device, ID3D11DeviceContext, bool)> {
    let (mut device, mut context) = (None, None);
    // SAFETY: no adapter and no software module, as the kind asks for; the results outlive the call.
    unsafe {
        D3D11CreateDevice(
            None,
            kind,
            HMODULE::default(),
            D3D11_CREATE_DEVICE_FLAG(0),
            None,
            D3D11_SDK_VERSION,
            Some(&raw mut device),
            None,
            Some(&raw mut context),
        )?;
    }
    let both = device.zip(context).ok_or(E_FAIL)?;
    Ok((both.0, both.1, kind == D3D_DRIVER_TYPE_HARDWARE))
}

/// A texture that other programs can open, and its handle. The handles of such textures are 32 bits wide.
fn texture(device: &ID3D11Device, [width, height]: [u32; 2]) -> Result<(ID3D11Texture2D, u32)> {
    let about = D3D11_TEXTURE2D_DESC {
        Width: width,
        Height: height,
        MipLevels: 1,
        ArraySize: 1,
        Format: DXGI_FORMAT_B8G8R8A8_UNORM,
        SampleDesc: DXGI_SAMPLE_DESC { Count: 1, Quality: 0 },
        Usage: D3D11_USAGE_DEFAULT,
        BindFlags: (D3D11_BIND_RENDER_TARGET.0 | D3D11_BIND_SHADER_RESOURCE.0) as u32,
        CPUAccessFlags: 0,
        MiscFlags: D3D11_RESOURCE_MISC_SHARED.0 as u32,
    };
    let mut texture = None;
    // SAFETY: the description and the result outlive the call.
    unsafe { device.CreateTexture2D(&raw const about, None, Some(&raw mut texture))? };
    let texture: ID3D11Texture2D = texture.ok_or(E_FAIL)?;
    // SAFETY: the texture can be shared, as its description says.
    let handle = unsafe { texture.cast::<IDXGIResource>()?.GetSharedHandle()? };
    Ok((texture, handle.0 as usize as u32))
}

/// A sender in the list, with its texture.
pub(in super::super) struct Sender {
    listing: Listing,
    device: ID3D11Device,
    context: ID3D11DeviceContext,
    texture: ID3D11Texture2D,
    size: [u32; 2],
    bgra: Vec<u8>,
}

impl Sender {
    /// Puts a sender of that name into the list; a name that is taken gets a number.
    pub fn open(name: &str) -> std::result::Result<Self, String> {
        Sender::begin(name).map_err(|error| error.to_string())
    }

    fn begin(name: &str) -> Result<Self> {
        let (device, context, _) = device()?;
        let (texture, handle) = texture(&device, FIRST)?;
        let listing = Listing::take(name, handle, FIRST)?;
        Ok(Sender { listing, device, context, texture, size: FIRST, bgra: Vec::new() })
    }

    fn draw(&mut self, picture: &Pixels) -> Result<()> {
        let Pixels { size, rgba, .. } = *picture;
        if size != self.size {
            let (texture, handle) = texture(&self.device, size)?;
            (self.texture, self.size) = (texture, size);
            self.listing.tell(handle, size)?;
        }
        self.bgra.clear();
        super::super::push_bgra(rgba, &mut self.bgra);
        let Sender { listing, device, context, texture, bgra, .. } = self;
        listing.frame(|| {
            // SAFETY: the bytes are a picture of the texture's size, as the caller has checked.
            unsafe {
                context.UpdateSubresource(&*texture, 0, None, bgra.as_ptr().cast(), size[0] * 4, 0);
                // Others see it only then.
                context.Flush();
                device.GetDeviceRemovedReason()
            }
        })
    }
}

impl super::super::Sender for Sender {
    fn name(&self) -> &str {
        self.listing.name()
    }

    /// Receivers take the texture without a word.
    fn receivers(&mut self) -> Option<u32> {
        None
    }

    fn send(&mut self, picture: &Pixels) -> std::result::Result<(), String> {
        let [width, height] = picture.size;
        if picture.rgba.is_empty() || picture.rgba.len() != width as usize * height as usize * 4 {
            return Err(format!("a picture of {width}x{height} has {} bytes", picture.rgba.len()));
        }
        self.draw(picture).map_err(|error| error.to_string())
    }
}
