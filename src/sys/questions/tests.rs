use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;

const SHORT: Duration = Duration::from_millis(100);

fn soon() -> Instant {
    Instant::now() + SHORT
}

/// Where an answer is sure to come, on however busy a machine.
fn late() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

#[tokio::test]
async fn an_answer_comes_back_and_a_panic_goes_on_in_the_asker() {
    let questions = Questions::new(2);
    assert_eq!(questions.ask("a", late(), on_its_own(|| 6 * 7)).await, Ok(42));
    let asker = questions.clone();
    let panics = tokio::spawn(async move {
        asker.ask("a", late(), on_its_own(|| -> u32 { panic!("in the thread") })).await
    });
    assert!(panics.await.unwrap_err().is_panic());
    // What panicked is not being asked any more.
    assert_eq!(questions.ask("a", late(), on_its_own(|| 1)).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thing_that_hangs_is_asked_once_and_takes_nothing_from_others() {
    let questions = Questions::new(4);
    let (release, hangs) = mpsc::channel::<()>();
    let first = questions.ask("hung", soon(), on_its_own(move || hangs.recv().is_ok())).await;
    assert!(matches!(first, Err(Silence::Hangs(since)) if since >= SHORT), "{first:?}");
    let asked = Arc::new(AtomicUsize::new(0));
    let begin = Instant::now();
    for _ in 0..50 {
        let asked = Arc::clone(&asked);
        let again = on_its_own(move || asked.fetch_add(1, Ordering::SeqCst) > 0);
        let answer = questions.ask("hung", soon(), again).await;
        assert!(matches!(answer, Err(Silence::Hangs(_))), "{answer:?}");
    }
    // The fifty were told at once, and did not wait one after the other; none of them was asked.
    assert!(begin.elapsed() < SHORT * 25, "{:?}", begin.elapsed());
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    assert_eq!(questions.ask("other", late(), on_its_own(|| true)).await, Ok(true));
    release.send(()).unwrap();
    assert_eq!(questions.ask("hung", late(), on_its_own(|| true)).await, Ok(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_can_hang() {
    let questions = Questions::new(2);
    let mut releases = Vec::new();
    for number in 0..2 {
        let (release, hangs) = mpsc::channel::<()>();
        releases.push(release);
        let hung = questions.ask(number, soon(), on_its_own(move || hangs.recv().is_ok())).await;
        assert!(matches!(hung, Err(Silence::Hangs(_))));
    }
    let crowded = questions.ask(2, soon(), on_its_own(|| true)).await;
    assert_eq!(crowded, Err(Silence::Crowd(2)));
    drop(releases);
    assert_eq!(questions.ask(2, late(), on_its_own(|| true)).await, Ok(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_ask_the_same_at_once_are_all_answered() {
    let questions = Questions::new(2);
    let deadline = late();
    let askers: Vec<_> = (0..8)
        .map(|number| {
            let questions = questions.clone();
            tokio::spawn(async move {
                let slow = on_its_own(move || {
                    thread::sleep(Duration::from_millis(5));
                    number
                });
                questions.ask("one", deadline, slow).await
            })
        })
        .collect();
    for (number, asker) in askers.into_iter().enumerate() {
        assert_eq!(asker.await.unwrap(), Ok(number));
    }
}
