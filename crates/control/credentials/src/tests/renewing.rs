//! When credentials are fetched, renewed, kept and forgotten. The clock is tokio's, turned by hand.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use config::GoogleLogin;
use snapshot::{Login, Secret, Sign, Signers, Unsigned};
use tokio::time::{Instant, advance};

use super::harness::now;
use crate::Credentials;
use crate::cell::Cell;
use crate::grant::Grant;
use crate::renewal::keep;

fn login(name: &str) -> Login {
    Login::Google(GoogleLogin { credentials: Secret::new(name) })
}

fn sign(signer: &dyn Sign) -> Result<String, String> {
    let unsigned = Unsigned { method: "POST", authority: "h", path: "/", headers: &[], body: b"" };
    let mut lines = Vec::new();
    signer.sign(&unsigned, &mut lines).map(|()| String::from_utf8(lines).unwrap())
}

/// Lets every task run until it waits.
async fn settle() {
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

/// A cell that is kept fresh by fetches that are counted, with the moments they happened at. Each
/// token lasts an hour; a fetch fails as long as `failing` holds.
struct Kept {
    cell: Arc<Cell>,
    failing: Arc<Mutex<bool>>,
    fetches: Arc<Mutex<Vec<u64>>>,
}

impl Kept {
    fn start() -> Self {
        let cell = Arc::new(Cell::new(login("x"), now));
        let (failing, fetches) = (Arc::new(Mutex::new(false)), Arc::new(Mutex::new(Vec::new())));
        let begin = Instant::now();
        let (is_failing, counted) = (Arc::clone(&failing), Arc::clone(&fetches));
        let fetch = move |_| {
            let (is_failing, counted) = (Arc::clone(&is_failing), Arc::clone(&counted));
            async move {
                let mut counted = counted.lock().unwrap();
                counted.push(begin.elapsed().as_secs());
                if *is_failing.lock().unwrap() {
                    return Err("the server is down".to_owned());
                }
                Grant::bearer(&format!("t{}", counted.len()), Duration::from_secs(3600))
            }
        };
        tokio::spawn(keep(Arc::downgrade(&cell), fetch));
        Self { cell, failing, fetches }
    }

    fn fetches(&self) -> Vec<u64> {
        self.fetches.lock().unwrap().clone()
    }
}

/// In steps, so that whatever is due in between happens at its time.
async fn pass(seconds: u64) {
    settle().await;
    for _ in 0..seconds {
        advance(Duration::from_secs(1)).await;
        settle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_five_minutes_before_it_ends() {
    let kept = Kept::start();
    assert_eq!(sign(&*kept.cell), Err("they are still being fetched".to_owned()));
    settle().await;
    assert_eq!(sign(&*kept.cell).unwrap(), "authorization: Bearer t1\r\n");
    pass(3299).await;
    assert_eq!(kept.fetches(), [0]);
    pass(2).await;
    assert_eq!(kept.fetches(), [0, 3300]);
    assert_eq!(sign(&*kept.cell).unwrap(), "authorization: Bearer t2\r\n");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_renewed_stays_good_until_it_ends_and_then_says_why() {
    let kept = Kept::start();
    settle().await;
    *kept.failing.lock().unwrap() = true;
    pass(3599).await;
    assert_eq!(sign(&*kept.cell).unwrap(), "authorization: Bearer t1\r\n");
    pass(2).await;
    assert_eq!(sign(&*kept.cell), Err("the server is down".to_owned()));
    // Waits double from a second to a minute.
    let moments = kept.fetches();
    let waits: Vec<u64> = moments.windows(2).skip(1).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);

    *kept.failing.lock().unwrap() = false;
    pass(60).await;
    assert!(sign(&*kept.cell).is_ok());
}

#[tokio::test(start_paused = true)]
async fn nobody_fetches_for_a_login_that_nobody_holds() {
    let Kept { cell, fetches, .. } = Kept::start();
    settle().await;
    drop(cell);
    pass(4000).await;
    assert_eq!(*fetches.lock().unwrap(), [0]);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_never_end_are_fetched_once() {
    let cell = Arc::new(Cell::new(login("x"), now));
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let fetch = move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        let fixed = aws_credential_types::Credentials::new("a", "s", None, None, "test");
        async move { Ok(Grant::aws(fixed, None)) }
    };
    keep(Arc::downgrade(&cell), fetch).await;
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn short_tokens_are_renewed_in_time_and_dead_ones_not_in_a_rush() {
    let wait = |seconds| {
        let grant = Grant::bearer("t", Duration::from_secs(seconds)).unwrap();
        grant.renew_in().unwrap().as_secs()
    };
    assert_eq!([wait(3600), wait(600), wait(10), wait(0)], [3300, 480, 8, 5]);
    let dead = Grant::bearer("t", Duration::ZERO).unwrap();
    assert!(dead.has_ended());
}

#[test]
fn a_login_keeps_its_signer_as_long_as_somebody_holds_it() {
    let credentials = Credentials::new();
    let address = |signer: &Arc<dyn Sign>| Arc::as_ptr(signer).cast::<()>();
    let (first, other) = (credentials.signer(&login("a")), credentials.signer(&login("b")));
    assert_eq!(address(&first), address(&credentials.signer(&login("a"))));
    assert_ne!(address(&first), address(&other));
    assert_eq!(credentials.take_new().len(), 2);
    drop((first, other));
    let again = credentials.signer(&login("a"));
    assert_eq!(credentials.take_new().len(), 1);
    let cells = credentials.shared.cells.lock().unwrap();
    assert_eq!(cells.known.len(), 1);
    drop(again);
}

#[test]
fn nothing_secret_is_printed() {
    let credentials = Credentials::new();
    let signer = credentials.signer(&login("hidden"));
    let printed = format!("{credentials:?} {signer:?}");
    assert!(printed.contains("***") && !printed.contains("hidden"), "{printed}");
    let grant = Grant::bearer("hidden", Duration::ZERO);
    assert!(!format!("{grant:?}").contains("hidden"));
}
