//! Signals as orders.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use crate::Handle;

/// The signals that mean something here.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From here on they no longer end the process by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// SIGHUP reloads, SIGTERM and SIGINT end in peace; a second SIGINT ends at once.
    pub(crate) async fn obey(mut self, handle: Handle) {
        loop {
            tokio::select! {
                _ = self.hang_up.recv() => {
                    info!("SIGHUP: reading the configuration again");
                    handle.reload();
                }
                _ = self.terminate.recv() => {
                    info!("SIGTERM: ending");
                    handle.leave();
                }
                _ = self.interrupt.recv() => {
                    if handle.orders.is_leaving() {
                        info!("second SIGINT: ending at once");
                        handle.close();
                    } else {
                        info!("SIGINT: ending; once more ends at once");
                        handle.leave();
                    }
                }
            }
        }
    }
}
