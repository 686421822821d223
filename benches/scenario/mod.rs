//! What can be measured.

mod binary;
mod cold;
mod floor;
mod invoke;
mod op_overhead;
mod resident;
mod store;
mod writes;

use std::path::PathBuf;

use clap::ValueEnum;

use crate::figure::Line;

/// A set of measurements that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Scenario {
    /// A call of a client's method, from a warm script
    OpOverhead,
    /// A whole process
    Cold,
    /// An isolate of the engine alone
    Floor,
    /// An execution in a fresh isolate
    InvokeFresh,
    /// An execution in an isolate that is warm for it
    InvokeReuse,
    /// Reads and writes of the store, at three sizes
    Store,
    /// The memory of idle isolates
    Resident,
    /// Durable writes of several callers
    Writes,
    /// The program's size, and how fast it starts
    Binary,
}

/// How to measure.
pub(crate) struct Plan {
    /// A minute rather than a quarter of an hour.
    pub(crate) quick: bool,
    /// The program.
    pub(crate) program: PathBuf,
    /// A folder for databases.
    pub(crate) scratch: PathBuf,
}

impl Scenario {
    /// Whether it is worth its time where two builds are compared.
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
            Self::Store => "store",
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
                Self::Store => store::run(plan).await,
                Self::Resident => resident::run().await,
                Self::Writes => writes::run(plan).await,
                Self::Binary => binary::run(plan),
            }
        })
    }
}
