//! The program: bounds its heap, parses the command line, runs the command, exits with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    bound_heap();
    trailship::cli::main()
}

/// Keeps freed memory from staying with the process, where the C library is glibc.
///
/// By itself glibc keeps a heap for each thread, and after the first large block it was given back it takes such blocks
/// from the heaps too: memory then follows the number of threads and the largest bulk ever, some ten MiB more than is in
/// use. False when the library refuses.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "mallopt has no safe form; it takes two integers and is called before any thread starts"
)]
fn bound_heap() -> bool {
    const LARGE_BLOCK: libc::c_int = 128 * 1024;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let heaps = libc::c_int::try_from(processors / 2).unwrap_or(libc::c_int::MAX).max(1);
    // SAFETY: mallopt only stores the values, under its own lock; nothing of ours is handed over.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, heaps) == 1
            && libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BLOCK) == 1
            && libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE_BLOCK) == 1
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn bound_heap() -> bool {
    false
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    #[test]
    fn the_library_takes_the_bounds() {
        assert!(super::bound_heap());
    }
}
