//! From what the BPF programs count in each interval to what is reported.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn padded<const N: usize>(added: [i64; N]) -> [u64; COUNTERS] {
    std::array::from_fn(|index| added.get(index).copied().unwrap_or_default() as u64)
}

fn options(top: Option<u32>) -> Options {
    Options { by: By::Comm, apps: None, top, map_size: 1 }
}

#[test]
fn the_others_are_one_whose_sums_are_theirs() {
    let options = options(Some(1));
    let of = |comm: &str, added: &[i64; 3]| (Owner::comm(comm.to_string()), padded(*added));
    let added = vec![of("a", &[90, 0, 0]), of("b", &[30, 0, 30]), of("c", &[10, 0, 0])];
    let records = Attributions::new(&options, SECOND).records(added, true);
    let [first, others] = &records[..] else { panic!("{records:?}") };
    assert_eq!((first.accesses, others.accesses, others.hits, others.misses), (90, 40, 10, 30));
    assert_eq!((&others.owner, others.hit_ratio), (&Owner::others(By::Comm), Some(0.25)));
}

fn record<const N: usize>(added: [i64; N]) -> Accesses {
    Attribution::new(INTERVALS).record(&padded(added), true).0
}

#[test]
fn a_cold_read_is_all_misses_and_a_warm_one_all_hits() {
    let cold = record([100, 0, 100, 0, 0, 4]);
    assert_eq!((cold.accesses, cold.hits, cold.misses, cold.readahead), (100, 0, 100, 96));
    assert_eq!(cold.hit_ratio, Some(0.0));
    let warm = record([100]);
    assert_eq!((warm.hits, warm.misses, warm.hit_ratio), (100, 0, Some(1.0)));
    assert_eq!(record([0]).hit_ratio, None);
}

#[test]
fn what_faults_miss_is_not_taken_from_the_hits_of_reads() {
    let both = record([100, 10, 40, 0, 32, 3, 7, 5]);
    assert_eq!((both.read_misses, both.fault_misses, both.misses), (8, 32, 40));
    assert_eq!((both.hits, both.accesses, both.readahead), (92, 110, 37));
    assert_eq!((both.write_adds, both.dirtied), (7, 5));
}

#[test]
fn faults_that_are_taken_back_after_their_interval_are_taken_from_the_next() {
    let mut attribution = Attribution::new(INTERVALS);
    let faults = [16, -15, 3, 20].map(|taken| attribution.record(&padded([0, taken]), false).0.faults);
    assert_eq!(faults, [16, 0, 0, 8]);
}

#[test]
fn a_page_is_reported_once_its_access_is_known() {
    let mut attribution = Attribution::new(INTERVALS);
    // 64 fetched, of which 32 are claimed at once, the others, by a fault, in the next interval.
    let first = attribution.record(&padded([0, 0, 64, 32, 0, 4]), false).0;
    assert_eq!((first.read_misses, first.fault_misses, first.readahead), (32, 0, 28));
    let second = attribution.record(&padded([0, 0, 0, -32, 32, 1]), false).0;
    assert_eq!((second.read_misses, second.fault_misses, second.readahead), (0, 32, 31));
}

#[test]
fn pages_that_no_access_claims_are_reported_all_the_same() {
    let mut attribution = Attribution::new(INTERVALS);
    let unclaimed = padded([0, 0, 100, 100]);
    assert_eq!(attribution.record(&unclaimed, true).0.misses, 100);
    let mut attribution = Attribution::new(INTERVALS);
    let misses: Vec<u64> = std::iter::once(unclaimed)
        .chain(std::iter::repeat_n(padded([0]), INTERVALS))
        .map(|added| attribution.record(&added, false).0.misses)
        .collect();
    assert_eq!(misses.iter().sum::<u64>(), 100, "{misses:?}");
    assert_eq!(patience(Duration::from_millis(50)), 80);
}

#[test]
fn what_is_left_of_an_owner_is_reported_when_it_is_known() {
    let options = options(None);
    let mut attributions = Attributions::new(&options, SECOND);
    let added = |faults: i64| padded([0, faults]);
    let of = |comm: &str, faults| (Owner::comm(comm.to_string()), added(faults));
    let faults_of = |records: Vec<Accesses>| -> Vec<_> {
        records.into_iter().map(|counts| (counts.owner.comm.flatten(), counts.faults)).collect()
    };
    let first = faults_of(attributions.records(vec![of("a", -3), of("b", 5)], false));
    assert_eq!(first, [(Some("b".to_string()), 5)]);
    let second = faults_of(attributions.records(vec![of("a", 10)], false));
    assert_eq!(second, [(Some("a".to_string()), 7)]);
    assert!(attributions.owners.is_empty());
    assert_eq!(faults_of(attributions.records(vec![], true)), [(None, 0)]);
}

/// A cold read of 96 pages, fetched 32 ahead, then all of it again, as the counters of each
/// interval: the second read is all hits.
fn cold_and_warm(pages_an_interval: i64) -> Vec<[u64; COUNTERS]> {
    let reads = std::iter::repeat_n(pages_an_interval, (192 / pages_an_interval) as usize);
    let mut read = 0;
    let fetched = reads.map(|reads| {
        let before = (read + 31) / 32;
        read += reads;
        let fetched = 32 * ((read.min(96) + 31) / 32 - before).max(0);
        // The first of 32 pages is asked for, the others are not.
        padded([reads, 0, fetched, 0, 0, fetched / 32])
    });
    fetched.collect()
}

#[test]
fn hits_add_up_at_any_interval() {
    let options = Options { map_size: 8, ..options(None) };
    for pages_an_interval in [1, 4, 8, 64, 192] {
        let mut attributions = Attributions::new(&options, Duration::from_millis(10));
        let added = cold_and_warm(pages_an_interval);
        let records = added.into_iter().flat_map(|added| {
            let of = |comm: &str| (Owner::comm(comm.to_string()), added);
            attributions.records(vec![of("a"), of("b")], false)
        });
        let records: Vec<Accesses> = records.collect();
        for owner in ["a", "b"] {
            let own = records.iter().filter(|of| of.owner == Owner::comm(owner.to_string()));
            let sum = own.fold(Accesses::default(), Accesses::with);
            assert_eq!((sum.accesses, sum.hits, sum.misses), (192, 96, 96), "{pages_an_interval}");
        }
        assert!(attributions.owners.is_empty());
    }
}

#[test]
fn owners_that_came_and_went_do_not_fill_the_memory() {
    let options = Options { map_size: 8, ..options(None) };
    let mut attributions = Attributions::new(&options, SECOND);
    for comm in 0..100 {
        // Read ahead and never read; fetched and never claimed; withdrawn and never counted.
        let added = [padded([0, 0, 32]), padded([0, 0, 32, 32]), padded([0, -3])];
        let of = |(kind, added)| (Owner::comm(format!("{kind}-{comm}")), added);
        let records = attributions.records(added.into_iter().enumerate().map(of).collect(), false);
        assert!(records.iter().all(|record| record.hits == 0));
        assert!(attributions.owners.len() <= 8 + 3, "{}", attributions.owners.len());
    }
}

#[test]
fn what_is_never_read_is_forgotten_after_a_while() {
    let options = options(None);
    let mut attributions = Attributions::new(&options, SECOND);
    let of = |added| vec![(Owner::comm("a".to_string()), added)];
    attributions.records(of(padded([0, 0, 1_000])), false);
    let hits = (0..70).map(|_| attributions.records(of(padded([1])), false)[0].hits);
    let hits: Vec<u64> = hits.collect();
    assert_eq!((hits[..29].iter().sum::<u64>(), hits[60..].iter().sum::<u64>()), (0, 10), "{hits:?}");
    assert!(attributions.owners.is_empty());
}
