//! How the process ends: stage by stage, so that neither a caller nor a successor is let down.

use std::sync::atomic::Ordering;
use std::time::Duration;

use seam::{Seam, Stage};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

/// How long new connections are still accepted after the order to end, while requests are active:
/// time for a successor to ask for the listening sockets.
pub const LEAVING_MAX: Duration = Duration::from_secs(3);

/// How often the workers' gauges are looked at meanwhile.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// What the rest of the process may ask for. It only moves forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// Go on.
    #[default]
    Serve,
    /// End when the work under way is done.
    Leave,
    /// The same, and a successor has the listening sockets.
    HandedOver,
    /// End at once.
    Close,
}

/// The sending side; cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Orders(watch::Sender<Order>);

impl Orders {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Order::Serve))
    }

    /// Gives an order unless a stronger one stands.
    pub(crate) fn give(&self, order: Order) {
        self.0.send_if_modified(|standing| {
            let is_stronger = order > *standing;
            *standing = order.max(*standing);
            is_stronger
        });
    }

    /// Whether the process is to end.
    pub(crate) fn is_leaving(&self) -> bool {
        *self.0.borrow() > Order::Serve
    }

    /// The receiving side.
    pub(crate) fn watch(&self) -> watch::Receiver<Order> {
        self.0.subscribe()
    }
}

/// Waits for the order to end and moves the workers through the stages. Returns once the last
/// stage is set.
pub(crate) async fn run(
    seam: Seam,
    mut orders: watch::Receiver<Order>,
    grace: Duration,
    http2: http2::Handle,
) {
    wait_for(&mut orders, Order::Leave).await;
    info!(active = active(&seam), "leaving: accepting until the work under way is done");
    seam.stop.advance(Stage::Leaving);
    http2.leave();
    let idle_or_handed_over = async {
        tokio::select! {
            () = until_idle(&seam) => {}
            () = wait_for(&mut orders, Order::HandedOver) => {}
        }
    };
    let _ = timeout(LEAVING_MAX, idle_or_handed_over).await;

    // From here on each worker ends by itself with its last connection; the rest is for those
    // that do not end.
    seam.stop.advance(Stage::Draining);
    info!(active = active(&seam), grace_s = grace.as_secs(), "draining: nothing new is accepted");
    let _ = timeout(grace, wait_for(&mut orders, Order::Close)).await;
    warn!(active = active(&seam), "closing: cutting off what is left");
    seam.stop.advance(Stage::Closing);
}

async fn wait_for(orders: &mut watch::Receiver<Order>, order: Order) {
    // The sender lives in the supervisor itself; when it is gone there is nothing to wait for.
    let _ = orders.wait_for(|standing| *standing >= order).await;
}

/// A client of HTTP/2 that has no request under way is still given the time to hear that it should
/// send none.
async fn until_idle(seam: &Seam) {
    while active(seam) > 0 || seam.http2.open.load(Ordering::Relaxed) > 0 {
        sleep(LOOK_INTERVAL).await;
    }
}

fn active(seam: &Seam) -> u64 {
    seam.stats.iter().map(|stats| stats.requests_active.load(Ordering::Relaxed)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weaker_order_changes_nothing() {
        let orders = Orders::new();
        let mut seen = orders.watch();
        orders.give(Order::HandedOver);
        orders.give(Order::Leave);
        assert_eq!(*seen.borrow_and_update(), Order::HandedOver);
        orders.give(Order::HandedOver);
        assert!(!seen.has_changed().expect("the sender lives"));
        assert!(orders.is_leaving());
    }
}
