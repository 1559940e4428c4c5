//! NDI: pictures over the network, by the library of the player's own NDI runtime.
//!
//! The library is looked for when a share begins, so that a build needs no SDK and a machine without NDI none of it. Its C
//! interface is that of `Processing.NDI.Lib.h` (versions 5 and 6); the names below are its own, without their prefixes. A
//! picture is compressed by the library within the call that takes it, on the thread `share`.
//!
//! NDI® is a registered trademark of Vizrt NDI AB, <https://ndi.video>.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use super::{Pixels, listed};

/// The names of the library, the newest first.
const FILES: &[&str] = if cfg!(windows) {
    if cfg!(target_pointer_width = "64") { &["Processing.NDI.Lib.x64.dll"] } else { &["Processing.NDI.Lib.x86.dll"] }
} else if cfg!(target_os = "macos") {
    &["libndi.dylib"]
} else {
    &["libndi.so.6", "libndi.so.5"]
};

/// Where the installers say that the library is.
const VARIABLES: [&str; 2] = ["NDI_RUNTIME_DIR_V6", "NDI_RUNTIME_DIR_V5"];

/// `NDI_LIB_FOURCC('R', 'G', 'B', 'X')`: red, green, blue, and a byte that means nothing.
const RGBX: u32 = u32::from_le_bytes(*b"RGBX");
const PROGRESSIVE: c_int = 1;
/// The library counts the time.
const SYNTHESIZE: i64 = i64::MAX;

/// `NDIlib_send_create_t`.
#[repr(C)]
struct Create {
    ndi_name: *const c_char,
    groups: *const c_char,
    clock_video: bool,
    clock_audio: bool,
}

/// `NDIlib_video_frame_v2_t`.
#[repr(C)]
struct VideoFrame {
    xres: c_int,
    yres: c_int,
    four_cc: u32,
    frame_rate_n: c_int,
    frame_rate_d: c_int,
    /// 0 for square pixels.
    picture_aspect_ratio: f32,
    frame_format_type: c_int,
    timecode: i64,
    data: *const u8,
    line_stride_in_bytes: c_int,
    metadata: *const c_char,
    timestamp: i64,
}

/// `NDIlib_source_t`.
#[repr(C)]
struct Source {
    ndi_name: *const c_char,
    url_address: *const c_char,
}

type Instance = *mut c_void;

/// The library's functions.
struct Library {
    path: PathBuf,
    initialize: unsafe extern "C" fn() -> bool,
    destroy: unsafe extern "C" fn(),
    version: unsafe extern "C" fn() -> *const c_char,
    send_create: unsafe extern "C" fn(*const Create) -> Instance,
    send_destroy: unsafe extern "C" fn(Instance),
    send_video: unsafe extern "C" fn(Instance, *const VideoFrame),
    connections: unsafe extern "C" fn(Instance, u32) -> c_int,
    source_name: unsafe extern "C" fn(Instance) -> *const Source,
}

/// Where the library may be, the best place first. A bare name is looked for where the system keeps its libraries.
pub(super) fn places() -> Vec<PathBuf> {
    let named = VARIABLES.iter().filter_map(std::env::var_os).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let mut folders: Vec<PathBuf> = named.collect();
    if cfg!(windows) {
        // Never by a bare name: that would look into the current folder, too.
        let programs = std::env::var_os("ProgramFiles").map(PathBuf::from).into_iter();
        folders.extend(
            programs.flat_map(|folder| ["NDI 6 Runtime/v6", "NDI 5 Runtime/v5"].map(|v| folder.join("NDI").join(v))),
        );
    } else {
        if cfg!(target_os = "macos") {
            folders.extend(["/usr/local/lib", "/Library/NDI SDK for Apple/lib/macOS"].map(PathBuf::from));
        }
        folders.push(PathBuf::new());
    }
    folders.iter().flat_map(|folder| FILES.iter().map(|file| folder.join(file))).collect()
}

/// The library's version and place.
pub(super) fn available(places: &[PathBuf]) -> Result<String, String> {
    let library = Library::open(places)?;
    Ok(format!("{} ({})", library.version(), library.path.display()))
}

impl Library {
    /// The first library that there is. It is never unloaded: its own threads may still run.
    fn open(places: &[PathBuf]) -> Result<Self, String> {
        for path in places {
            // A bare name is left to the system.
            if path.is_absolute() && !path.exists() {
                continue;
            }
            // SAFETY: the library is the one that the player has installed to be loaded like this.
            match unsafe { libloading::Library::new(path) } {
                Ok(file) => return Library::bind(path, &ManuallyDrop::new(file)),
                Err(_) if !path.is_absolute() => {}
                Err(error) => return Err(format!("cannot load {}: {error}", path.display())),
            }
        }
        let runtime = if cfg!(target_os = "linux") { "the NDI SDK" } else { "the NDI runtime" };
        let places = listed(places);
        Err(format!(
            "no library, looked for {places}; install {runtime} from https://ndi.video, or set {} to its folder",
            VARIABLES[0]
        ))
    }

    fn bind(path: &Path, file: &libloading::Library) -> Result<Self, String> {
        /// # Safety
        /// `T` is the type of the function.
        unsafe fn function<T: Copy>(path: &Path, file: &libloading::Library, name: &str) -> Result<T, String> {
            // SAFETY: as the caller guarantees.
            let symbol = unsafe { file.get::<T>(name.as_bytes()) };
            symbol
                .map(|symbol| *symbol)
                .map_err(|_| format!("{} is no NDI library of version 5 or 6: it has no {name}", path.display()))
        }
        // SAFETY: the types are those of the library's header; the functions stay, as the library is never unloaded.
        unsafe {
            Ok(Library {
                path: path.to_owned(),
                initialize: function(path, file, "NDIlib_initialize")?,
                destroy: function(path, file, "NDIlib_destroy")?,
                version: function(path, file, "NDIlib_version")?,
                send_create: function(path, file, "NDIlib_send_create")?,
                send_destroy: function(path, file, "NDIlib_send_destroy")?,
                send_video: function(path, file, "NDIlib_send_send_video_v2")?,
                connections: function(path, file, "NDIlib_send_get_no_connections")?,
                source_name: function(path, file, "NDIlib_send_get_source_name")?,
            })
        }
    }

    fn version(&self) -> String {
        // SAFETY: the function takes nothing and returns a text of the library's own.
        unsafe { text((self.version)()) }.unwrap_or_else(|| "unknown version".to_owned())
    }
}

/// A text of the library.
///
/// # Safety
/// `text` is null or ends with a zero.
unsafe fn text(text: *const c_char) -> Option<String> {
    // SAFETY: as the caller guarantees.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// An NDI source.
pub(super) struct Sender {
    library: Library,
    instance: Instance,
    name: String,
}

impl Sender {
    /// Offers a source of that name to the network.
    pub fn open(places: &[PathBuf], name: &str) -> Result<Self, String> {
        let library = Library::open(places)?;
        let Library { path, .. } = &library;
        let own = CString::new(name).map_err(|_| format!("{name:?} is no name"))?;
        // SAFETY: the function takes nothing. The library counts the calls of `initialize` and `destroy`.
        if !unsafe { (library.initialize)() } {
            return Err(format!("{} does not run on this processor", path.display()));
        }
        // The pace is the show's: the library must not hold up the thread to make it even.
        let create =
            Create { ndi_name: own.as_ptr(), groups: std::ptr::null(), clock_video: false, clock_audio: false };
        // SAFETY: `create` and the name outlive the call, and the library keeps copies.
        let instance = unsafe { (library.send_create)(&raw const create) };
        if instance.is_null() {
            // SAFETY: it was initialised above.
            unsafe { (library.destroy)() };
            return Err(format!(
                "the library refuses a source called {name:?}; there may be one of that name on this machine"
            ));
        }
        // SAFETY: the source lives as long as the instance.
        let listed = unsafe { (library.source_name)(instance).as_ref().and_then(|source| text(source.ndi_name)) };
        Ok(Sender { library, instance, name: listed.unwrap_or_else(|| name.to_owned()) })
    }
}

impl super::Sender for Sender {
    fn name(&self) -> &str {
        &self.name
    }

    fn receivers(&mut self) -> Option<u32> {
        // SAFETY: the instance lives; 0 does not wait.
        let count = unsafe { (self.library.connections)(self.instance, 0) };
        Some(count.try_into().unwrap_or(0))
    }

    fn fitting(&self, [width, height]: [u32; 2]) -> [u32; 2] {
        // Two pixels beside each other share their colour on the way.
        [width.next_multiple_of(2), height]
    }

    fn send(&mut self, picture: &Pixels) -> Result<(), String> {
        let Pixels { size: [width, height], rgba, fps } = *picture;
        let [frame_rate_n, frame_rate_d] = fraction(fps);
        let (Ok(xres), Ok(yres), Ok(stride)) = (width.try_into(), height.try_into(), (width * 4).try_into()) else {
            return Err(format!("{width}x{height} pixels are too many"));
        };
        if rgba.len() != width as usize * height as usize * 4 {
            return Err(format!("a picture of {width}x{height} has {} bytes", rgba.len()));
        }
        let frame = VideoFrame {
            xres,
            yres,
            four_cc: RGBX,
            frame_rate_n,
            frame_rate_d,
            picture_aspect_ratio: 0.0,
            frame_format_type: PROGRESSIVE,
            timecode: SYNTHESIZE,
            data: rgba.as_ptr(),
            line_stride_in_bytes: stride,
            metadata: std::ptr::null(),
            timestamp: 0,
        };
        // SAFETY: the frame describes the bytes, whose length was checked; the library is done with them when it returns.
        unsafe { (self.library.send_video)(self.instance, &raw const frame) };
        Ok(())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // SAFETY: the instance was created and the library initialised by `open`; neither is used any more.
        unsafe {
            (self.library.send_destroy)(self.instance);
            (self.library.destroy)();
        }
    }
}

/// A rate as a fraction: whole numbers, those of television (29.97 is 30000/1001), or thousandths.
fn fraction(fps: f64) -> [c_int; 2] {
    let whole = fps.round();
    if (fps - whole).abs() < 1e-9 {
        [whole as c_int, 1]
    } else if (fps - fps.ceil() * 1000.0 / 1001.0).abs() < 0.005 {
        [fps.ceil() as c_int * 1000, 1001]
    } else {
        [(fps * 1000.0).round() as c_int, 1000]
    }
}
