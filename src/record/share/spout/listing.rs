//! A sender's place in the list that all programs share, with the mutex and the count of its frames. Windows only.

use std::ffi::CString;

use windows::Win32::Foundation::{
    E_FAIL, ERROR_FILE_NOT_FOUND, HANDLE, INVALID_HANDLE_VALUE, WAIT_ABANDONED, WAIT_OBJECT_0,
};
use windows::Win32::System::Memory::{
    CreateFileMappingA, FILE_MAP_ALL_ACCESS, FILE_MAP_READ, MEMORY_BASIC_INFORMATION, MEMORY_MAPPED_VIEW_ADDRESS,
    MapViewOfFile, OpenFileMappingA, PAGE_READWRITE, UnmapViewOfFile, VirtualQuery,
};
use windows::Win32::System::Threading::{
    CreateMutexA, CreateSemaphoreA, ReleaseMutex, ReleaseSemaphore, WaitForSingleObject,
};
use windows::core::{Error, Owned, PCSTR, Result};

use super::{ACTIVE, INFO_BYTES, LIST, NAME_BYTES, Names, SENDERS};

/// How long another program may use what is shared: four frames at sixty a second, as everybody waits.
const PATIENCE_MS: u32 = 67;

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
        // Whole pages, so never less than that unless it could not be told.
        if memory.length < INFO_BYTES { Err(E_FAIL.into()) } else { Ok(memory) }
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

/// A name in the list. Dropping it gives it up.
struct Place {
    name: String,
    list: Memory,
    active: Memory,
}

/// A place in the list, with what receivers look for.
pub(super) struct Listing {
    /// Given up first, while there is still what it names.
    place: Place,
    info: Memory,
    /// The mutex of the texture.
    access: Owned<HANDLE>,
    /// Counts the frames.
    count: Owned<HANDLE>,
}

impl Listing {
    /// Takes a place with that name, or if it is taken, with a number behind it. Receivers show it from now on.
    pub fn take(wanted: &str, handle: u32, size: [u32; 2]) -> Result<Self> {
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
        // From here on it is given back, whatever fails.
        let place = Place { name, list, active };
        let access = mutex(&super::access_of(&place.name))?;
        let count_name = named(&super::count_of(&place.name))?;
        // SAFETY: the name outlives the call, and the handle is new.
        let count = unsafe { Owned::new(CreateSemaphoreA(None, 1, i32::MAX, PCSTR(count_name.as_ptr().cast()))?) };
        let listing = Listing { place, info, access, count };
        listing.tell(handle, size)?;
        let Place { name, active, .. } = &listing.place;
        active.change(|bytes| super::write_name(name.as_bytes(), &mut bytes[..NAME_BYTES]))?;
        Ok(listing)
    }

    pub fn name(&self) -> &str {
        &self.place.name
    }

    /// Tells receivers where the texture is, and its width and height.
    pub fn tell(&self, handle: u32, size: [u32; 2]) -> Result<()> {
        let program = std::env::current_exe().unwrap_or_default();
        let info = super::info(handle, size, program.to_string_lossy().as_bytes());
        self.info.change(|bytes| bytes[..INFO_BYTES].copy_from_slice(&info))
    }

    /// Lets `draw` change the texture while nobody uses it, and counts a frame. A receiver that keeps it for too long does
    /// without this one.
    pub fn frame(&self, draw: impl FnOnce() -> Result<()>) -> Result<()> {
        let Some(_held) = Held::take(*self.access) else { return Ok(()) };
        draw()?;
        // The count can only be raised by who has taken one.
        // SAFETY: the handle is open.
        unsafe {
            if WaitForSingleObject(*self.count, 0) == WAIT_OBJECT_0 {
                ReleaseSemaphore(*self.count, 2, None)?;
            }
        }
        Ok(())
    }
}

impl Drop for Place {
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
