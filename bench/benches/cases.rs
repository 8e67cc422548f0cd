//! Takes the time of every case of the table. `cargo bench -p bench -- peek/` takes a subject's.

use criterion::Criterion;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::io::Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    for case in bench::cases() {
        let mut outcome = Ok(());
        criterion.bench_function(case.name, |bencher| {
            // Only here, where it is known that the case is wanted.
            match case.start(bench::Pace::Free) {
                Ok(mut step) => bencher.iter(|| {
                    if let Err(error) = step() {
                        outcome = Err(error);
                    }
                }),
                Err(error) => {
                    outcome = Err(error);
                    bencher.iter(|| ());
                }
            }
        });
        outcome?;
    }
    criterion.final_summary();
    Ok(())
}
