//! Sockets for the data plane: listeners, connections, TLS, upstream pools, buffers and time, one set per core.
//!
//! The only crate that talks to the kernel about sockets. Everything but [`Workers`], [`Budget`] and [`handover`] lives on
//! one worker thread and stays there: no locks, and nothing here is `Send`.
//!
//! Time is coarse: one tick per worker, [`TICK`] apart, enforces every deadline and notices clients that
//! hung up. No operation pays for a timer of its own. A connection that waits holds no buffer.
//!
//! ```
//! use std::rc::Rc;
//! use std::sync::Arc;
//!
//! use net::{Connection, Service, Settings, Workers};
//! use seam::{Stage, Stop, WorkerStats};
//!
//! struct Echo;
//!
//! impl Service for Echo {
//!     async fn serve(self: Rc<Self>, mut connection: Connection) {
//!         while let Ok(1..) = connection.fill().await {
//!             let input = connection.take_input();
//!             if connection.write(input).await.is_err() {
//!                 return;
//!             }
//!         }
//!         connection.close().await;
//!     }
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! let stop = Stop::default();
//! let stats: Arc<[WorkerStats]> = Arc::new([WorkerStats::default()]);
//! let workers = Workers::start(Settings::default(), stop.clone(), stats, |_| Echo)?;
//! assert_ne!(workers.addresses()[0].port(), 0);
//! stop.advance(Stage::Closing);
//! workers.join()?;
//! # Ok(())
//! # }
//! ```

mod accept;
mod budget;
mod buffer;
mod clock;
mod connect;
mod connect_error;
mod connection;
mod guard;
pub mod handover;
mod hop;
mod link_local;
mod listen;
mod placement;
mod pool;
mod runtime;
mod settings;
mod shelf;
mod slots;
mod socket;
mod system;
mod tls;
mod tunnel;
mod upstream;
mod worker;
mod workers;

pub use budget::{Budget, BudgetSpent};
pub use buffer::Buffer;
pub use clock::{Tick, now};
pub use connect_error::ConnectError;
pub use connection::{Connection, Pair, loopback, pair};
pub use link_local::is_link_local;
pub use settings::{Driver, Settings};
pub use system::raise_limits;
pub use tls::{ServerTls, TlsError, load_system_roots};
pub use tunnel::{Alarm, Side, TunnelEnd, TunnelRules, tunnel};
pub use upstream::{Link, Upstream, checkout, checkout_idle, connect_fresh};
pub use worker::{TICK, sleep, spawn, stopping, worker_stats, yield_now};
pub use workers::{Service, Workers};
