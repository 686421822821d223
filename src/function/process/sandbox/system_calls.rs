//! System calls of worker processes.
//!
//! Calls that are needed are allowed, some of them only with certain arguments. Any other call ends the process if it is a known
//! means of attack, and fails with `EPERM` otherwise: libraries try some calls and go on without them.
//!
//! Tests of the engine let any call end the process that is in none of the lists: see
//! [`ProcessOptions::report_unknown_calls`](crate::function::ProcessOptions::report_unknown_calls).
//!
//! A worker applies several filters; the strictest answer counts.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

/// Calls that V8, the event loop and the threads of WebCrypto need, as seen when they run the tests.
const ALLOWED: &[c_long] = &[
    // Messages to and from the host, and the pipe of standard error.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    // The event loop.
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    // Memory: V8's heap, code and stacks of threads. V8 protects code by protection keys where the processor has them.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_pkey_alloc,
    libc::SYS_pkey_free,
    libc::SYS_pkey_mprotect,
    libc::SYS_membarrier,
    // Time and randomness.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    // Threads: the watchdog, and those of WebCrypto.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Refused by a filter of its own, so that the C library falls back on `clone`.
    libc::SYS_clone3,
    // Signals: V8 handles faults of WebAssembly, and the C library blocks signals while it starts threads.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
];

/// Calls that are made in vain: they fail, and the caller goes on without.
const REFUSED: &[c_long] = &[
    // The C library's allocator reads the number of processors, and a panic the program's symbols.
    libc::SYS_openat,
    // The time zone of the machine, where the environment names none.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    libc::SYS_readlinkat,
    // Sources of random numbers of WebCrypto, before `getrandom`.
    libc::SYS_newfstatat,
    // Priorities of threads.
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
];

/// Calls that no part of a worker makes, and attackers do. They end the process.
const FATAL: &[c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_bpf,
    libc::SYS_io_uring_setup,
    libc::SYS_userfaultfd,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
];

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: TargetArch = TargetArch::aarch64;

/// What becomes of a call that is in none of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnknownCall {
    /// It fails with `EPERM`.
    Fails,
    /// The process gets SIGSYS.
    IsReported,
}

/// The filters, in the order in which they have to be applied.
///
/// # Panics
///
/// Panics if the lists above are not a valid filter, which a test would show.
#[expect(clippy::expect_used, reason = "depends on constants alone")]
pub(super) fn filters(unknown: UnknownCall) -> &'static [BpfProgram] {
    static FILTERS: LazyLock<Vec<BpfProgram>> =
        LazyLock::new(|| compile(UnknownCall::Fails).expect("the filters are valid"));
    static REPORTING: LazyLock<Vec<BpfProgram>> =
        LazyLock::new(|| compile(UnknownCall::IsReported).expect("the filters are valid"));
    match unknown {
        UnknownCall::Fails => &FILTERS,
        UnknownCall::IsReported => &REPORTING,
    }
}

fn compile(unknown: UnknownCall) -> Result<Vec<BpfProgram>, seccompiler::BackendError> {
    let any = |calls: &[c_long]| calls.iter().map(|call| (*call, Vec::new())).collect::<BTreeMap<_, _>>();
    let mut allowed = any(ALLOWED);
    // Threads of this process only.
    let thread = libc::CLONE_THREAD as u64;
    allowed.insert(libc::SYS_clone, vec![argument(0, SeccompCmpOp::MaskedEq(thread), thread)?]);
    // Of sockets, what messages need. Out-of-band data has had flaws in the kernel.
    let flags = (libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) as u64;
    for call in [libc::SYS_recvfrom, libc::SYS_sendto] {
        let others = u64::from(u32::MAX) & !flags;
        allowed.insert(call, vec![argument(3, SeccompCmpOp::MaskedEq(others), 0)?]);
    }
    // Names of threads and of memory.
    let names = [libc::PR_SET_NAME, libc::PR_SET_VMA].map(|option| argument(0, SeccompCmpOp::Eq, option as u64));
    allowed.insert(libc::SYS_prctl, names.into_iter().collect::<Result<_, _>>()?);
    // Reading the limits of this process.
    let this = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, 0)?;
    let no_new_limit = SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?;
    allowed.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![this, no_new_limit])?]);
    // `abort`. Which process gets the signal is up to `own_signals`.
    allowed.insert(libc::SYS_tgkill, vec![argument(2, SeccompCmpOp::Eq, libc::SIGABRT as u64)?]);
    Ok(vec![
        filter(any(&[libc::SYS_clone3]), SeccompAction::Allow, errno(libc::ENOSYS))?,
        filter(any(FATAL), SeccompAction::Allow, SeccompAction::KillProcess)?,
        filter(any(REFUSED), SeccompAction::Allow, errno(libc::EPERM))?,
        // Last: it refuses to apply another.
        match unknown {
            UnknownCall::Fails => filter(allowed, errno(libc::EPERM), SeccompAction::Allow)?,
            UnknownCall::IsReported => {
                allowed.extend(any(REFUSED));
                filter(allowed, SeccompAction::Trap, SeccompAction::Allow)?
            }
        },
    ])
}

/// A filter for this process alone: it signals no other.
pub(super) fn own_signals() -> Result<BpfProgram, seccompiler::BackendError> {
    let this = rustix::process::getpid().as_raw_pid().unsigned_abs();
    let others = BTreeMap::from([(libc::SYS_tgkill, vec![argument(0, SeccompCmpOp::Ne, this.into())?])]);
    filter(others, SeccompAction::Allow, errno(libc::EPERM))
}

fn filter(
    calls: BTreeMap<c_long, Vec<SeccompRule>>,
    others: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, seccompiler::BackendError> {
    SeccompFilter::new(calls, others, listed, ARCHITECTURE)?.try_into()
}

fn errno(number: i32) -> SeccompAction {
    SeccompAction::Errno(number.unsigned_abs())
}

/// A rule on the lower 32 bits of an argument, as the kernel reads arguments of type `int`.
fn argument(index: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value)?])
}
