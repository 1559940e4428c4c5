//! A Spout sender, with Direct3D 11. Windows only.

use std::ffi::{CString, c_void};

use windows::Win32::Foundation::{
    E_FAIL, ERROR_FILE_NOT_FOUND, HANDLE, HMODULE, INVALID_HANDLE_VALUE, WAIT_ABANDONED, WAIT_OBJECT_0,
};
use windows::Win32::Graphics::Direct3D::{D3D_DRIVER_TYPE, D3D_DRIVER_TYPE_HARDWARE, D3D_DRIVER_TYPE_WARP};
use windows::Win32::Graphics::Direct3D11::{
    D3D11_BIND_RENDER_TARGET, D3D11_BIND_SHADER_RESOURCE, D3D11_CREATE_DEVICE_FLAG, D3D11_RESOURCE_MISC_SHARED,
    D3D11_SDK_VERSION, D3D11_TEXTURE2D_DESC, D3D11_USAGE_DEFAULT, D3D11CreateDevice, ID3D11Device, ID3D11DeviceContext,
    ID3D11Texture2D,
};
use windows::Win32::Graphics::Dxgi::Common::{DXGI_FORMAT_B8G8R8A8_UNORM, DXGI_SAMPLE_DESC};
use windows::Win32::Graphics::Dxgi::IDXGIResource;
use windows::Win32::System::Memory::{
    CreateFileMappingA, FILE_MAP_ALL_ACCESS, FILE_MAP_READ, MEMORY_BASIC_INFORMATION, MEMORY_MAPPED_VIEW_ADDRESS,
    MapViewOfFile, OpenFileMappingA, PAGE_READWRITE, UnmapViewOfFile, VirtualQuery,
};
use windows::Win32::System::Threading::{
    CreateMutexA, CreateSemaphoreA, ReleaseMutex, ReleaseSemaphore, WaitForSingleObject,
};
use windows::core::{Error, Interface, Owned, PCSTR, Result};

use super::super::Pixels;
use super::{ACTIVE, INFO_BYTES, LIST, NAME_BYTES, Names, SENDERS};

/// How long another program may use what is shared: four frames at sixty a second, as everybody waits.
const PATIENCE_MS: u32 = 67;

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
    device
        .zip(context)
        .map(|(device, context)| (device, context, kind == D3D_DRIVER_TYPE_HARDWARE))
        .ok_or_else(|| E_FAIL.into())
}

/// A name for the system.
fn named(name: &str) -> Result<CString> {
    CString::new(name).map_err(|_| E_FAIL.into())
}

/// A mutex that is held.
struct Held(HANDLE);

impl Held {
    /// `None` if somebody else keeps it for too long. One that a program has left behind is taken over.
    fn take(mutex: HANDLE) -> Option<Self> {
        // SAFETY: the handle is open, as its owner is borrowed for as long as this.
        let event = unsafe { WaitForSingleObject(mutex, PATIENCE_MS) };
        (event == WAIT_OBJECT_0 || event == WAIT_ABANDONED).then_some(Held(mutex))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: this thread holds it.
        // Releasing what is held does not fail.
        let _ = unsafe { ReleaseMutex(self.0) };
    }
}

fn mutex(name: &str) -> Result<Owned<HANDLE>> {
    let name = named(name)?;
    // SAFETY: the name outlives the call, and the handle is new.
    unsafe { Ok(Owned::new(CreateMutexA(None, false, PCSTR(name.as_ptr().cast()))?)) }
}

/// Memory that programs share by its name, with its mutex.
struct Memory {
    view: MEMORY_MAPPED_VIEW_ADDRESS,
    /// How many bytes there are: whoever made it decides.
    length: usize,
    mutex: Owned<HANDLE>,
    _mapping: Owned<HANDLE>,
}

impl Memory {
    /// Opens it, or makes it with that many zeros.
    fn open(name: &str, length: usize) -> Result<Self> {
        let mutex = mutex(&super::mutex_of(name))?;
        let name = named(name)?;
        // SAFETY: the name outlives the call, and the handle is new.
        let mapping = unsafe {
            Owned::new(CreateFileMappingA(
                INVALID_HANDLE_VALUE,
                None,
                PAGE_READWRITE,
                0,
                length as u32,
                PCSTR(name.as_ptr().cast()),
            )?)
        };
        // SAFETY: the mapping is open.
        let view = unsafe { MapViewOfFile(*mapping, FILE_MAP_ALL_ACCESS, 0, 0, 0) };
        if view.Value.is_null() {
            return Err(Error::from_thread());
        }
        let mut memory = Memory { view, length: 0, mutex, _mapping: mapping };
        let mut region = MEMORY_BASIC_INFORMATION::default();
        // SAFETY: the view is mapped, and the result has the size that is told.
        let told = unsafe { VirtualQuery(Some(view.Value), &raw mut region, size_of::<MEMORY_BASIC_INFORMATION>()) };
        memory.length = if told == 0 { 0 } else { region.RegionSize };
        // Somebody else has made it too small.
        if memory.length < length.min(NAME_BYTES) { Err(E_FAIL.into()) } else { Ok(memory) }
    }

    /// Whether there is memory of that name.
    fn exists(name: &[u8]) -> bool {
        let Ok(name) = CString::new(name) else { return false };
        // SAFETY: the name outlives the call; the handle is new and closed here.
        let opened = unsafe { OpenFileMappingA(FILE_MAP_READ.0, false, PCSTR(name.as_ptr().cast())) };
        match opened {
            // SAFETY: as above.
            Ok(handle) => unsafe {
                drop(Owned::new(handle));
                true
            },
            // Another error says nothing about whether it is there.
            Err(error) => error.code() != ERROR_FILE_NOT_FOUND.to_hresult(),
        }
    }

    /// Lets `change` have a copy of the bytes, and writes them back.
    fn change<T>(&self, change: impl FnOnce(&mut [u8]) -> T) -> Result<T> {
        let _held = Held::take(*self.mutex).ok_or_else(|| Error::new(E_FAIL, "another program holds it"))?;
        let place = self.view.Value.cast::<u8>();
        let mut bytes = vec![0; self.length];
        // SAFETY: the view has that length and lives as long as this; others keep away while the mutex is held.
        unsafe { place.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len()) };
        let result = change(&mut bytes);
        // SAFETY: as above.
        unsafe { place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(result)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the view is mapped, and nobody uses it any more.
        // There is nothing to be done about a failure.
        let _ = unsafe { UnmapViewOfFile(self.view) };
    }
}

/// A sender in the list, with its texture.
pub(in super::super) struct Sender {
    name: String,
    device: ID3D11Device,
    context: ID3D11DeviceContext,
    texture: ID3D11Texture2D,
    size: [u32; 2],
    info: Memory,
    list: Memory,
    active: Memory,
    /// The mutex of the texture.
    access: Owned<HANDLE>,
    /// Counts the frames.
    count: Owned<HANDLE>,
    bgra: Vec<u8>,
}

impl Sender {
    /// Puts a sender of that name into the list; a name that is taken gets a number.
    pub fn open(name: &str) -> std::result::Result<Self, String> {
        Sender::begin(name).map_err(|error| error.to_string())
    }

    fn begin(wanted: &str) -> Result<Self> {
        let (device, context, _) = device()?;
        let (texture, handle) = texture(&device, FIRST)?;
        let list = Memory::open(LIST, SENDERS * NAME_BYTES)?;
        let active = Memory::open(ACTIVE, NAME_BYTES)?;
        // The name is found and taken while nobody else can.
        let (name, info) = list.change(|bytes| -> Result<(String, Memory)> {
            let mut names: Names = super::read_names(bytes);
            // Those of programs that have crashed.
            names.retain(|name| Memory::exists(name));
            let name = super::free_name(&names, wanted);
            let info = Memory::open(&name, INFO_BYTES)?;
            names.insert(name.as_bytes().to_vec());
            super::write_names(&names, bytes);
            Ok((name, info))
        })??;
        let access = mutex(&super::access_of(&name))?;
        let count_name = named(&super::count_of(&name))?;
        // SAFETY: the name outlives the call, and the handle is new.
        let count = unsafe { Owned::new(CreateSemaphoreA(None, 1, i32::MAX, PCSTR(count_name.as_ptr().cast()))?) };
        let sender =
            Sender { name, device, context, texture, size: FIRST, info, list, active, access, count, bgra: Vec::new() };
        sender.tell(handle)?;
        sender.active.change(|bytes| super::write_name(sender.name.as_bytes(), &mut bytes[..NAME_BYTES]))?;
        Ok(sender)
    }

    /// Tells receivers where the texture is.
    fn tell(&self, handle: HANDLE) -> Result<()> {
        let program = std::env::current_exe().unwrap_or_default();
        // The handles of shared textures are 32 bits wide.
        let info = super::info(handle.0 as usize as u32, self.size, program.to_string_lossy().as_bytes());
        self.info.change(|bytes| bytes[..INFO_BYTES].copy_from_slice(&info))
    }

    fn draw(&mut self, picture: &Pixels) -> Result<()> {
        let Pixels { size, rgba, .. } = *picture;
        if size != self.size {
            let (texture, handle) = texture(&self.device, size)?;
            (self.texture, self.size) = (texture, size);
            self.tell(handle)?;
        }
        self.bgra.clear();
        super::super::push_bgra(rgba, &mut self.bgra);
        // A receiver that keeps it for so long does without this picture.
        let Some(_held) = Held::take(*self.access) else { return Ok(()) };
        // SAFETY: the bytes are a picture of the texture's size, as the caller has checked; the handle is open.
        unsafe {
            self.context.UpdateSubresource(&self.texture, 0, None, self.bgra.as_ptr().cast::<c_void>(), size[0] * 4, 0);
            // Others see it only then.
            self.context.Flush();
            self.device.GetDeviceRemovedReason()?;
            // One more: the count can only be raised by who has taken one.
            if WaitForSingleObject(*self.count, 0) == WAIT_OBJECT_0 {
                ReleaseSemaphore(*self.count, 2, None)?;
            }
        }
        Ok(())
    }
}

/// A texture that other programs can open, and its handle.
fn texture(device: &ID3D11Device, [width, height]: [u32; 2]) -> Result<(ID3D11Texture2D, HANDLE)> {
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
    Ok((texture, handle))
}

impl super::super::Sender for Sender {
    fn name(&self) -> &str {
        &self.name
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

impl Drop for Sender {
    fn drop(&mut self) {
        let left = self.list.change(|bytes| {
            let mut names = super::read_names(bytes);
            names.remove(self.name.as_bytes());
            super::write_names(&names, bytes);
            names
        });
        let Ok(left) = left else { return };
        // If another program is in the way, it finds out for itself that this sender has gone.
        let _ = self.active.change(|bytes| {
            let field = &mut bytes[..NAME_BYTES];
            let next = super::next_active(&left, super::name_in(field), &self.name).map(<[u8]>::to_vec);
            next.into_iter().for_each(|next| super::write_name(&next, field));
        });
    }
}
