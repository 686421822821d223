//! The store over a real PostgreSQL server. Left out with `TAILOR_IDP_SKIP_POSTGRES=1`.

mod backend;
mod server;
