//! The queue between executions and the service that goes on with them.

use emulator_tests::{Harness, HarnessOptions, stubs::tasks::Counts};
use shared::{
    clock::SystemClock,
    http::client,
    queue::{CloudTasks, Continuation, Queue, QueueConfig, Task, Work},
};

use super::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn a_task_reaches_the_service_that_it_is_for() {
    let options = HarnessOptions {
        duplicate_tasks: 1.0,
        ..Default::default()
    };
    let harness = Harness::start(options).await.unwrap();
    let config = QueueConfig::load(harness.env()).unwrap();
    let queue = CloudTasks::new(config, client().unwrap(), SystemClock::shared());
    let task = Task {
        name: "e1-1".to_owned(),
        work: Work::Continue(Continuation {
            org_id: "o1".parse().unwrap(),
            execution_id: "e1".parse().unwrap(),
        }),
        due_at: None,
    };
    // The service acknowledges what is not there to go on with.
    queue.enqueue(&task).await.unwrap();
    queue.enqueue(&task).await.unwrap();
    let tasks = harness.tasks().unwrap();
    let acknowledged = tasks.wait_for(|counts| counts.acknowledged == 1);
    let counts = tokio::time::timeout(PATIENCE, acknowledged).await.unwrap();
    let expected = Counts {
        created: 1,
        repeated: 1,
        deliveries: 2,
        acknowledged: 1,
    };
    assert_eq!(counts, expected);
    harness.stop().await;
}
