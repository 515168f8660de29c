//! How long is waited for a stream.

use futures::{StreamExt, stream};
use tokio::time::{advance, timeout};

use super::*;
use crate::llm::{ChatStream, Delta};

const LIMITS: Timeouts = Timeouts {
    first_token_ms: 1_000,
    between_chunks_ms: 300,
    total_ms: 2_000,
};

async fn pass(ms: u64) {
    let never = std::future::pending::<()>();
    let _ = timeout(Duration::from_millis(ms), never).await;
}

/// A stream whose pieces come after so many milliseconds each.
fn pieces(pauses: &[u64]) -> ChatStream {
    let pauses = pauses.to_vec();
    stream::iter(pauses)
        .then(|pause| async move {
            pass(pause).await;
            Ok(Delta::Text("x".to_owned()))
        })
        .boxed()
}

/// Pieces that came, whether the stream timed out, and after how many milliseconds it ended.
async fn run(before: u64, pauses: &[u64]) -> (usize, bool, u128) {
    let started = Instant::now();
    let begins = async {
        pass(before).await;
        Ok(pieces(pauses))
    };
    let (mut came, mut is_late) = (0, false);
    match LIMITS.stream(begins).await {
        Err(error) => is_late = matches!(error, Error::Timeout(_)),
        Ok(mut stream) => {
            while let Some(piece) = stream.next().await {
                match piece {
                    Ok(_) => came += 1,
                    Err(error) => is_late = matches!(error, Error::Timeout(_)),
                }
            }
        }
    }
    (came, is_late, started.elapsed().as_millis())
}

#[tokio::test(start_paused = true)]
async fn each_wait_has_its_own_limit() {
    assert_eq!(run(400, &[500, 299, 299]).await, (3, false, 1_498));
    assert_eq!(run(1_001, &[0]).await, (0, true, 1_000));
    assert_eq!(run(500, &[501]).await, (0, true, 1_000));
    assert_eq!(run(0, &[900, 301]).await, (1, true, 1_200));
    assert_eq!(run(0, &[900, 290, 290, 290, 290]).await, (4, true, 2_000));
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_has_the_total() {
    let answer = |ms| async move {
        pass(ms).await;
        Ok(())
    };
    assert!(LIMITS.whole(answer(1_999)).await.is_ok());
    let late = LIMITS.whole(answer(2_001)).await.unwrap_err();
    assert!(matches!(late, Error::Timeout(_)));
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_pieces_is_broken() {
    advance(Duration::from_secs(1)).await;
    let error = LIMITS
        .stream(async { Ok(pieces(&[])) })
        .await
        .err()
        .unwrap();
    assert!(matches!(error, Error::Interrupted(_)), "{error}");
}
