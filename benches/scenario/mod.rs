//! Scenarios: groups of related measurements.

mod binary;
mod cold;
mod floor;
mod invoke;
mod op_overhead;
#[cfg(target_os = "linux")]
mod processes;
mod remote;
mod resident;
mod store;
mod writes;

use clap::ValueEnum;

use crate::figure::Line;
use crate::plan::Plan;

/// A group of related measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Scenario {
    /// A call of a client method from a warm script
    OpOverhead,
    /// A whole process, from start to exit
    Cold,
    /// An isolate of deno_core alone
    Floor,
    /// An execution in a fresh isolate
    InvokeFresh,
    /// An execution in a warm isolate
    InvokeReuse,
    /// Executions in worker processes
    #[cfg(target_os = "linux")]
    Processes,
    /// Reads and writes of the store at three sizes
    Store,
    /// Users at another service
    Remote,
    /// The memory of idle isolates
    Resident,
    /// Durable writes of concurrent callers
    Writes,
    /// Size and start-up time of the program
    Binary,
}

impl Scenario {
    /// Whether comparisons of two builds run it.
    pub(crate) fn is_quick(self) -> bool {
        !matches!(self, Self::Binary | Self::Floor | Self::Resident)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OpOverhead => "op_overhead",
            Self::Cold => "cold",
            Self::Floor => "floor",
            Self::InvokeFresh => "invoke_fresh",
            Self::InvokeReuse => "invoke_reuse",
            #[cfg(target_os = "linux")]
            Self::Processes => "processes",
            Self::Store => "store",
            Self::Remote => "remote",
            Self::Resident => "resident",
            Self::Writes => "writes",
            Self::Binary => "binary",
        }
    }

    pub(crate) fn run(self, plan: &Plan) -> anyhow::Result<Vec<Line>> {
        let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        tokio.block_on(async {
            match self {
                Self::OpOverhead => op_overhead::run(plan).await,
                Self::Cold => cold::run(plan).await,
                Self::Floor => floor::run(plan).await,
                Self::InvokeFresh => invoke::fresh(plan).await,
                Self::InvokeReuse => invoke::reuse(plan).await,
                #[cfg(target_os = "linux")]
                Self::Processes => processes::run(plan).await,
                Self::Store => store::run(plan).await,
                Self::Remote => remote::run(plan).await,
                Self::Resident => resident::run().await,
                Self::Writes => writes::run(plan).await,
                Self::Binary => binary::run(plan),
            }
        })
    }
}
