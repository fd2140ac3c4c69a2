//! Waiting for a condition. A test that sleeps instead of waiting is either slow or wrong.

use std::time::Duration;
use tokio::time::Instant;

/// How long tests wait for a real peer before they give up. Generous: machines of continuous
/// integration are slow, and a wait that succeeds ends at once.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Asks again and again until `condition` answers, with a short pause between.
pub async fn until<T, F>(what: &str, limit: Duration, mut condition: F) -> anyhow::Result<T>
where
    F: AsyncFnMut() -> Option<T>,
{
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = condition().await {
            return Ok(answer);
        }
        anyhow::ensure!(Instant::now() < end, "waited {limit:?} in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
