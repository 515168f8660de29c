use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
    mpsc::channel,
};

use futures::{StreamExt, future::join, stream};
use tokio::sync::mpsc::unbounded_channel;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn readers(count: usize, read_limit: Duration) -> Readers {
    Readers::new(&Settings {
        readers: count,
        read_timeout: read_limit,
        wait_timeout: read_limit,
        ..Settings::default()
    })
}

#[tokio::test]
async fn others_go_on_while_a_slow_file_is_read() {
    let readers = readers(1, MINUTE);
    let (go_on, waits) = channel();
    let slow = readers.read(move || waits.recv_timeout(Duration::from_secs(10)).is_ok());
    let other = async { go_on.send(()) };
    let (slow, _) = join(slow, other).await;
    assert_eq!(slow.unwrap(), Some(true));
}

#[tokio::test]
async fn so_many_are_read_at_once_and_no_more() {
    const COUNT: usize = 2;
    const FILES: usize = 12;
    let readers = readers(COUNT, MINUTE);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (has_begun, mut begun) = unbounded_channel();
    let (go_on, waits) = channel::<()>();
    let waits = Arc::new(std::sync::Mutex::new(waits));
    let files = (0..FILES).map(|_| {
        let (now, most, has_begun) = (now.clone(), most.clone(), has_begun.clone());
        let waits = waits.clone();
        readers.read(move || {
            let reading = now.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(reading, Ordering::SeqCst);
            _ = has_begun.send(());
            _ = waits.lock().unwrap().recv_timeout(Duration::from_secs(10));
            now.fetch_sub(1, Ordering::SeqCst);
        })
    });
    let all = stream::iter(files).buffer_unordered(FILES).count();
    let director = async {
        for _ in 0..COUNT {
            begun.recv().await;
        }
        for _ in COUNT..FILES {
            go_on.send(()).unwrap();
            begun.recv().await;
        }
        for _ in 0..COUNT {
            go_on.send(()).unwrap();
        }
    };
    let (count, ()) = join(all, director).await;
    assert_eq!(count, FILES);
    assert_eq!(most.load(Ordering::SeqCst), COUNT);
}

#[tokio::test]
async fn who_waits_too_long_goes_on_and_the_reader_is_taken_until_it_ends() {
    let readers = readers(1, Duration::from_millis(20));
    let (go_on, waits) = channel::<()>();
    let slow = readers.read(move || waits.recv());
    assert_eq!(slow.await.unwrap(), None);
    let next = readers.read(|| 7).await;
    let Err(Stop::Failed(failure)) = next else {
        panic!("{next:?}");
    };
    assert_eq!(failure, Failure::BUSY);
    go_on.send(()).unwrap();
    let readers = Readers {
        wait_limit: MINUTE,
        read_limit: MINUTE,
        ..readers
    };
    assert_eq!(readers.read(|| 7).await.unwrap(), Some(7));
}

#[tokio::test]
async fn a_reader_that_panics_is_free_again() {
    let readers = readers(1, MINUTE);
    let read = readers.read(|| panic!("a library has a defect")).await;
    assert_eq!(read.unwrap(), None::<()>);
    assert_eq!(readers.read(|| 7).await.unwrap(), Some(7));
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_the_reader_taken_until_it_ends() {
    let readers = readers(1, MINUTE);
    let (go_on, waits) = channel::<()>();
    let (has_begun, mut begun) = unbounded_channel();
    let slow = readers.read(move || {
        _ = has_begun.send(());
        waits.recv()
    });
    tokio::select! {
        _ = slow => panic!("it ends by itself"),
        _ = begun.recv() => {}
    }
    assert_eq!(readers.free.available_permits(), 0);
    go_on.send(()).unwrap();
    assert_eq!(readers.read(|| 7).await.unwrap(), Some(7));
}

#[tokio::test]
async fn room_is_given_up_to_what_there_is_and_comes_back() {
    let readers = Readers::new(&Settings {
        content_bytes: 10 << 10,
        wait_timeout: Duration::from_millis(20),
        ..Settings::default()
    });
    let half = readers.hold(5 << 10).await.unwrap();
    let other = readers.hold(5 << 10).await.unwrap();
    let next = readers.hold(1).await;
    assert!(matches!(next, Err(Stop::Failed(Failure::BUSY))));
    drop((half, other));
    // What is larger than all there is has it to itself.
    let all = readers.hold(1 << 30).await.unwrap();
    assert!(readers.hold(1).await.is_err());
    drop(all);
    assert!(readers.hold(10 << 10).await.is_ok());
}
