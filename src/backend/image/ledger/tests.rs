use std::time::Duration;

use super::*;
use crate::backend::image::WhenFull;
use crate::backend::image::settings::{Place, Ratio};

const GIB: u64 = 1 << 30;

fn ledger(provisioning: Provisioning) -> Arc<Ledger> {
    let settings = Settings {
        name: "fast".into(),
        node: "n1".into(),
        place: Place::DefaultAt("/".into()),
        provisioning,
        reserve: Percent(2),
        low_water: Percent(5),
        when_full: WhenFull::Fail,
        mount_dir: "/".into(),
        require_shared_mounts: false,
        freeze_limit: Duration::from_secs(5),
    };
    Ledger::new(&settings, Bytes::ZERO)
}

fn reserve(ledger: &Arc<Ledger>, bytes: Bytes, space: Space) -> Result<Reservation> {
    ledger.reserve(bytes, bytes, space)
}

fn space(total: u64, free: u64) -> Space {
    Space { total: Bytes(total), free: Bytes(free), outside: None, shared: false }
}

#[test]
fn thick_is_a_sum_that_nothing_overdraws_whatever_is_allocated() {
    let ledger = ledger(Provisioning::Thick);
    let all = space(100 * GIB, 0);
    let left = Bytes::gib(8).less(ballast::SIZE);
    assert_eq!(ledger.available(all), Bytes::gib(90).plus(left));
    reserve(&ledger, Bytes::gib(90), all).unwrap().commit();
    let refused = reserve(&ledger, Bytes::gib(9), all).unwrap_err();
    assert!(matches!(refused, Error::Exhausted { free, .. } if free == left), "{refused}");
    let held = reserve(&ledger, left, all).unwrap();
    assert_eq!(ledger.available(all), Bytes::ZERO);
    drop(held);
    assert_eq!(ledger.available(all), left);
    drop(ledger.take_over(Bytes::gib(90)));
    assert_eq!(ledger.promised(), Bytes::ZERO);
}

#[test]
fn a_thick_pool_among_others_gives_no_more_than_is_free() {
    let ledger = ledger(Provisioning::Thick);
    let shared = Space { shared: true, ..space(100 * GIB, 3 * GIB) };
    assert_eq!(ledger.available(shared), Bytes::gib(3));
    assert!(reserve(&ledger, Bytes::gib(4), shared).is_err());
}

#[test]
fn thin_promises_by_ratio_and_nothing_below_the_low_water_mark() {
    let ledger = ledger(Provisioning::Thin(Ratio::whole(2)));
    assert_eq!(ledger.available(space(10 * GIB, 5 * GIB)), Bytes::gib(20));
    assert_eq!(ledger.available(space(10 * GIB, GIB / 2 - 1)), Bytes::ZERO);
    assert!(reserve(&ledger, Bytes(4096), space(10 * GIB, GIB / 4)).is_err());
    let larger = reserve(&ledger, Bytes::gib(11), space(10 * GIB, 10 * GIB));
    assert!(matches!(larger, Err(Error::Exhausted { free, .. }) if free == Bytes::gib(10)));
    let outside = Outside { total: Bytes::gib(100), free: Bytes::gib(4) };
    let sparse = Space { outside: Some(outside), ..space(10 * GIB, 4 * GIB) };
    assert_eq!(ledger.available(sparse), Bytes::ZERO);
}

#[test]
fn the_last_bytes_are_given_to_one_of_many_threads() {
    let ledger = ledger(Provisioning::Thick);
    let all = space(100 * GIB, 0);
    let given = std::thread::scope(|scope| {
        let take = || reserve(&ledger, Bytes::gib(1), all).map(Reservation::commit).is_ok();
        let threads: Vec<_> = (0..200).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|one| one.join().unwrap()).filter(|won| *won).count()
    });
    assert_eq!(given, 97);
    assert_eq!(ledger.promised(), Bytes::gib(97));
}

#[test]
fn a_reservation_is_split_and_nothing_of_it_is_lost() {
    let ledger = ledger(Provisioning::Thick);
    let mut whole = reserve(&ledger, Bytes::gib(5), space(100 * GIB, 0)).unwrap();
    let part = whole.split(Bytes::gib(2));
    drop(whole.split(Bytes::gib(1)));
    assert_eq!(ledger.promised(), Bytes::gib(4));
    part.commit();
    drop(whole.split(Bytes::gib(9)));
    assert_eq!(ledger.promised(), Bytes::gib(2));
    drop(whole);
    assert_eq!(ledger.promised(), Bytes::gib(2));
}
