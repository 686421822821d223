//! Memory of V8 that workers inherit.
//!
//! V8 excludes its memory from forks (`MADV_DONTFORK`), since most programs that fork start another program. A worker goes on with
//! the same V8, so the zygote includes it again.

use std::fs;
use std::io;
use std::ops::Range;

/// Includes all memory of this process in forks.
///
/// # Errors
///
/// Fails if the system does not tell what memory there is.
pub(super) fn include_all_memory_in_forks() -> io::Result<()> {
    for Range { start, end } in excluded(&fs::read_to_string("/proc/self/smaps")?) {
        // SAFETY: changes only what a fork does with the mapping.
        if unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DOFORK) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The mappings with the flag `dc`, for "do not copy on fork".
fn excluded(smaps: &str) -> Vec<Range<usize>> {
    let mut mapping = 0..0;
    let mut excluded = Vec::new();
    for line in smaps.lines() {
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            if flags.split_ascii_whitespace().any(|flag| flag == "dc") {
                excluded.push(mapping.clone());
            }
        } else if let Some(range) = range_of(line) {
            mapping = range;
        }
    }
    excluded
}

/// The addresses at the start of a mapping's first line.
fn range_of(line: &str) -> Option<Range<usize>> {
    let (start, end) = line.split_ascii_whitespace().next()?.split_once('-')?;
    Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn excluded_mappings_are_found() {
        let smaps = "\
55d0c0000000-55d0c0001000 r--p 00000000 fe:00 123 /usr/bin/a-b c
Size:                  4 kB
VmFlags: rd mr mw me sd
7ff6a0000000-7ff6a0010000 ---p 00000000 00:00 0
Size:                 64 kB
VmFlags: mr mw me nr dc sd
";
        let expected = 0x7ff6_a000_0000..0x7ff6_a001_0000;
        assert_eq!(excluded(smaps), vec![expected]);
    }
}
