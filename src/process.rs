//! Programs that run beside this one.

use std::process::Command;

/// Gives a program a process group of its own, so that Ctrl-C in a terminal reaches only us.
pub fn set_apart(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(windows)]
    {
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
        std::os::windows::process::CommandExt::creation_flags(command, CREATE_NEW_PROCESS_GROUP);
    }
}

/// Gives a program the lowest priority, where the one that starts it can say so: Windows. On Unix
/// the program does so itself, by [`become_idle`].
pub fn set_idle(command: &mut Command) {
    #[cfg(windows)]
    {
        // Flags replace one another: see `set_apart`.
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
        const IDLE_PRIORITY_CLASS: u32 = 0x40;
        let flags = CREATE_NEW_PROCESS_GROUP | IDLE_PRIORITY_CLASS;
        std::os::windows::process::CommandExt::creation_flags(command, flags);
    }
    #[cfg(not(windows))]
    let _ = command;
}

/// Gives this thread, and those that it starts from now on, the lowest priority: some hundredth of a processor that others
/// want too, so that the work ends some day. Elsewhere than on Unix it does nothing: see [`set_idle`].
pub fn become_idle() {
    #[cfg(unix)]
    // SAFETY: the call takes no pointer.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 19);
    }
}

/// Gives this thread, and those that it starts from now on, the lowest priority, where a thread has one of its own: Linux.
pub fn become_idle_thread() {
    #[cfg(target_os = "linux")]
    become_idle();
}

/// Ends the program as it stands: on Unix without what drivers do at an orderly end, while another thread may be in one.
pub fn end_at_once() -> ! {
    #[cfg(unix)]
    // SAFETY: the call takes no pointer and does not return.
    unsafe {
        libc::_exit(0)
    }
    #[cfg(not(unix))]
    std::process::exit(0)
}
