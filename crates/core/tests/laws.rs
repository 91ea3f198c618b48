//! The laws of `kernel`, each written once and swept over the whole registry, then over kernels
//! that break one law each: a law that does not reject its culprit proves nothing.

mod common;

use common::{DATA_SETS, Rng, bits, columns_of, parameter_sets, run, run_in_blocks, spec_label};
use indicator_core::kernel::{Isa, Kernel, Results, Scratch};
use indicator_core::primitives::NAN;
use indicator_core::registry::{self, Entry};
use indicator_core::spec::{Accuracy, Bars, Output, Params, Spec};
use indicator_core::state::{Reader, State, Writer};
use indicator_core::{Error, spec};

type Law = fn(&Entry, &[f64], &[Vec<f64>], &mut Rng) -> Result<(), String>;

/// Any cutting of the bars into runs gives the same bits as one run.
fn split(entry: &Entry, params: &[f64], data: &[Vec<f64>], rng: &mut Rng) -> Result<(), String> {
    let whole = run(entry, params, data);
    let bars = data[0].len();
    let cuts: [&mut dyn FnMut() -> usize; 4] = [&mut || 1, &mut || 7, &mut || 512, &mut || {
        rng.below(700) + 1
    }];
    for (kind, next) in cuts.into_iter().enumerate() {
        let mut machine = entry.create(params).expect("valid parameters");
        let pieces = run_in_blocks(machine.as_mut(), data, 0..bars, next);
        same(&whole, &pieces).map_err(|what| format!("cutting {kind}: {what}"))?;
        if machine.bars() != bars as u64 {
            return Err(format!("{} bars counted instead of {bars}", machine.bars()));
        }
    }
    Ok(())
}

/// A clone, and a state saved and loaded, go on identically; the bytes do not tell the cutting.
fn resume(entry: &Entry, params: &[f64], data: &[Vec<f64>], rng: &mut Rng) -> Result<(), String> {
    let whole = run(entry, params, data);
    let bars = data[0].len();
    for cut in [0, 1, 9, rng.below(bars + 1), bars] {
        let cut = cut.min(bars);
        let mut first = entry.create(params).expect("valid parameters");
        run_in_blocks(first.as_mut(), data, 0..cut, &mut || 512);
        let bytes = first.save();
        let mut other = entry.create(params).expect("valid parameters");
        run_in_blocks(other.as_mut(), data, 0..cut, &mut || rng.below(40) + 1);
        if other.save() != bytes {
            return Err(format!("saved bytes at bar {cut} depend on the cutting"));
        }
        let loaded = entry
            .restore(&bytes)
            .map_err(|error| format!("at bar {cut}: {error}"))?;
        if loaded.save() != bytes {
            return Err(format!(
                "loading at bar {cut} and saving again gives other bytes"
            ));
        }
        for (kind, mut machine) in [("clone", first.boxed_clone()), ("loaded", loaded)] {
            let rest = run_in_blocks(machine.as_mut(), data, cut..bars, &mut || 100);
            let expected: Vec<Vec<f64>> =
                whole.iter().map(|column| column[cut..].to_vec()).collect();
            same(&expected, &rest).map_err(|what| format!("{kind} from bar {cut}: {what}"))?;
        }
        first.reset();
        let again = run_in_blocks(first.as_mut(), data, 0..bars, &mut || 512);
        same(&whole, &again).map_err(|what| format!("after a reset at bar {cut}: {what}"))?;
    }
    Ok(())
}

/// Every NaN has the same bits.
fn canonical_nan(
    entry: &Entry,
    params: &[f64],
    data: &[Vec<f64>],
    _: &mut Rng,
) -> Result<(), String> {
    for (output, column) in run(entry, params, data).iter().enumerate() {
        for (bar, value) in column.iter().enumerate() {
            if value.is_nan() && value.to_bits() != NAN.to_bits() {
                return Err(format!(
                    "output {output}, bar {bar}: NaN {:#x}",
                    value.to_bits()
                ));
            }
        }
    }
    Ok(())
}

/// What lies outside the declared window cannot touch a result.
fn locality(entry: &Entry, params: &[f64], data: &[Vec<f64>], rng: &mut Rng) -> Result<(), String> {
    let Some(window) = &entry.spec.window else {
        return Ok(());
    };
    let window = (window.of)(&entry.spec.check(params).expect("valid parameters"));
    let bars = data[0].len();
    let spoiled_bars = rng.below(bars + 1);
    let from = usize::try_from(window).map_or(bars, |window| {
        spoiled_bars.saturating_add(window - 1).min(bars)
    });
    let expected = run(entry, params, data);
    let mut spoiled = data.to_vec();
    for column in &mut spoiled {
        for value in &mut column[..spoiled_bars] {
            *value = [f64::NAN, f64::INFINITY, 1e300, -1e12, 5e-324][rng.below(5)];
        }
    }
    let found = run(entry, params, &spoiled);
    let tail = |columns: &[Vec<f64>]| -> Vec<Vec<f64>> {
        columns
            .iter()
            .map(|column| column[from..].to_vec())
            .collect()
    };
    same(&tail(&expected), &tail(&found)).map_err(|what| format!("{what} after bar {from}"))
}

/// No value comes before the declared first bar, and where values come at all, one comes there:
/// on some of several random walks, since a value may depend on the way that prices go.
fn first_valid(entry: &Entry, params: &[f64], _: &[Vec<f64>], rng: &mut Rng) -> Result<(), String> {
    const BARS: usize = 300;
    let checked = entry.spec.check(params).expect("valid parameters");
    let walks: Vec<_> = (0..8)
        .map(|_| {
            run(
                entry,
                params,
                &columns_of(entry.spec, &common::random_walk(BARS, rng)),
            )
        })
        .collect();
    for (index, output) in entry.spec.outputs.iter().enumerate() {
        let expected = (output.first_valid.of)(&checked);
        let first = |walk: &Vec<Vec<f64>>| walk[index].iter().position(|value| !value.is_nan());
        if let Some(found) = walks.iter().filter_map(first).min()
            && found as u64 != expected
        {
            return Err(format!(
                "{} begins at bar {found}, not {expected}",
                output.name
            ));
        }
    }
    Ok(())
}

/// Nothing allocates once a machine is built.
fn allocates_nothing(
    entry: &Entry,
    params: &[f64],
    data: &[Vec<f64>],
    _: &mut Rng,
) -> Result<(), String> {
    let mut machine = entry.create(params).expect("valid parameters");
    let inputs: Vec<&[f64]> = data.iter().map(Vec::as_slice).collect();
    let mut results = vec![vec![0.0; data[0].len()]; entry.spec.outputs.len()];
    let mut outputs: Vec<&mut [f64]> = results.iter_mut().map(Vec::as_mut_slice).collect();
    let counts = allocation_counter::measure(|| {
        machine.run(&inputs, &mut outputs).expect("valid shape");
    });
    if counts.count_total == 0 {
        Ok(())
    } else {
        Err(format!("{} allocations", counts.count_total))
    }
}

/// Several sets of parameters at once give what each gives alone, wherever it stands among them.
fn many(entry: &Entry, params: &[f64], data: &[Vec<f64>], _: &mut Rng) -> Result<(), String> {
    // More than run abreast, and some besides.
    const SETS: usize = 37;
    let alone = run(entry, params, data);
    let others = parameter_sets(entry.spec);
    let is_this = |place: usize| place.is_multiple_of(3);
    let sets: Vec<&[f64]> = (0..SETS)
        .map(|place| {
            if is_this(place) {
                params
            } else {
                &others[place % others.len()]
            }
        })
        .collect();
    let inputs: Vec<&[f64]> = data.iter().map(Vec::as_slice).collect();
    let each = entry.spec.outputs.len();
    let mut results = vec![vec![0.0; data[0].len()]; SETS * each];
    let mut outputs: Vec<&mut [f64]> = results.iter_mut().map(Vec::as_mut_slice).collect();
    entry
        .run_many(&sets, &inputs, &mut outputs)
        .map_err(|error| error.to_string())?;
    for (place, results) in results.chunks(each).enumerate() {
        if is_this(place) {
            same(&alone, results).map_err(|what| format!("as set {place}: {what}"))?;
        }
    }
    Ok(())
}

const LAWS: [(&str, Law); 7] = [
    ("split", split),
    ("resume", resume),
    ("canonical NaN", canonical_nan),
    ("locality", locality),
    ("first valid bar", first_valid),
    ("no allocation", allocates_nothing),
    ("many", many),
];

/// Applies a law to a kernel over all parameter and data sets; returns the first violation.
fn sweep(law: Law, entry: &Entry) -> Result<(), String> {
    let mut rng = Rng::new(7);
    for params in parameter_sets(entry.spec) {
        for (name, make) in DATA_SETS {
            for bars in [0, 1, 2, 40, 2300] {
                let data = columns_of(entry.spec, &make(bars, &mut rng));
                law(entry, &params, &data, &mut rng).map_err(|what| {
                    format!(
                        "{} on {bars} bars of {name}: {what}",
                        spec_label(entry.spec, &params)
                    )
                })?;
            }
        }
    }
    Ok(())
}

fn same(expected: &[Vec<f64>], found: &[Vec<f64>]) -> Result<(), String> {
    for (output, (expected, found)) in expected.iter().zip(found).enumerate() {
        if let Some(bar) = (0..expected.len()).find(|&t| bits(expected[t]) != bits(found[t])) {
            let (expected, found) = (expected[bar], found[bar]);
            return Err(format!(
                "output {output}, bar {bar}: {found:?} instead of {expected:?}"
            ));
        }
    }
    Ok(())
}

#[test]
fn every_kernel_obeys_every_law() {
    let mut violations = Vec::new();
    for entry in registry::entries() {
        for (name, law) in LAWS {
            if let Err(what) = sweep(law, entry) {
                violations.push(format!("{name}: {what}"));
            }
        }
    }
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn names_are_sorted_and_unique() {
    let names: Vec<_> = registry::entries()
        .iter()
        .map(|entry| entry.spec.name)
        .collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
}

#[test]
fn no_spec_outgrows_the_fixed_arrays() {
    for Entry { spec, .. } in registry::entries() {
        assert!(
            (1..=spec::MAX_INPUTS).contains(&spec.inputs.len()),
            "{}",
            spec.name
        );
        assert!(
            (1..=spec::MAX_OUTPUTS).contains(&spec.outputs.len()),
            "{}",
            spec.name
        );
        assert!(spec.name.len() <= 255, "{}", spec.name);
    }
}

#[test]
fn bad_parameters_are_refused_with_their_name() {
    for entry in registry::entries() {
        let good: Vec<f64> = entry
            .spec
            .params
            .iter()
            .map(|param| param.domain.default())
            .collect();
        for (index, param) in entry.spec.params.iter().enumerate() {
            let (min, max) = param.domain.bounds();
            for bad in [
                f64::NAN,
                f64::INFINITY,
                -1.0 - min.abs(),
                max * 2.0 + 1.0,
                libm::ldexp(1.0, 40),
            ] {
                if param.domain.contains(bad) {
                    continue;
                }
                let mut params = good.clone();
                params[index] = bad;
                let Err(Error::Parameter { name, given, .. }) = entry.create(&params) else {
                    panic!("{} takes {bad} as {}", entry.spec.name, param.name)
                };
                assert_eq!((name, given.to_bits()), (param.name, bad.to_bits()));
            }
        }
        let mut many = good.clone();
        many.push(1.0);
        assert!(
            matches!(entry.create(&many), Err(Error::Count { .. })),
            "{}",
            entry.spec.name
        );
    }
}

#[test]
fn wrong_shapes_are_refused_and_change_nothing() {
    for entry in registry::entries() {
        let params: Vec<f64> = entry
            .spec
            .params
            .iter()
            .map(|param| param.domain.default())
            .collect();
        let mut machine = entry.create(&params).unwrap();
        let before = machine.save();
        let short: &[f64] = &[1.0];
        let mut out = [0.0; 2];
        assert!(matches!(
            machine.run(&[], &mut [&mut out]),
            Err(Error::Count { .. })
        ));
        let inputs = vec![short; entry.spec.inputs.len()];
        assert!(matches!(
            machine.run(&inputs, &mut []),
            Err(Error::Count { .. })
        ));
        let mut results = vec![[0.0; 2]; entry.spec.outputs.len()];
        let mut outputs: Vec<&mut [f64]> = results.iter_mut().map(|out| &mut out[..]).collect();
        assert!(matches!(
            machine.run(&inputs, &mut outputs),
            Err(Error::Length { .. })
        ));
        assert_eq!(machine.save(), before, "{}", entry.spec.name);
    }
}

#[test]
fn damaged_states_are_refused() {
    let mut rng = Rng::new(3);
    for entry in registry::entries() {
        let params: Vec<f64> = entry
            .spec
            .params
            .iter()
            .map(|param| param.domain.default())
            .collect();
        let data = columns_of(entry.spec, &common::random_walk(37, &mut rng));
        let mut machine = entry.create(&params).unwrap();
        run_in_blocks(machine.as_mut(), &data, 0..37, &mut || 37);
        let bytes = machine.save();
        assert!(registry::restore(&bytes).is_ok());
        for len in 0..bytes.len() {
            assert!(
                registry::restore(&bytes[..len]).is_err(),
                "{} cut to {len}",
                entry.spec.name
            );
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << rng.below(8);
            assert!(
                registry::restore(&damaged).is_err(),
                "{} byte {at}",
                entry.spec.name
            );
        }
    }
}

/// Culprits: each breaks one law, and that law has to notice.
mod culprits {
    use super::*;

    const fn spec(name: &'static str) -> Spec {
        Spec {
            name,
            title: "",
            group: "",
            summary: "",
            formula: "",
            source: "",
            reference: "",
            gaps: "",
            inputs: &["x"],
            params: &[],
            rules: &[],
            outputs: &[Output {
                name: "y",
                summary: "",
                first_valid: Bars {
                    of: |_| 0,
                    text: "0",
                },
                accuracy: Accuracy { ulps: 1.0, of: "y" },
            }],
            window: Some(Bars {
                of: |_| 1,
                text: "1",
            }),
            transcendental: false,
            revision: 1,
        }
    }

    /// Declares a kernel of one plain field from its spec's name and what a run does.
    macro_rules! culprit {
        ($kernel:ident, $field:ty, $run:expr) => {
            culprit!($kernel, $field, $run, Results::Any);
        };
        ($kernel:ident, $field:ty, $run:expr, $known:expr) => {
            #[derive(Clone, Default)]
            struct $kernel($field);

            impl Kernel for $kernel {
                const SPEC: &'static Spec = &spec(stringify!($kernel));

                fn new(_: &Params<'_>) -> Result<Self, Error> {
                    Ok(Self::default())
                }

                fn run(
                    &mut self,
                    _: Isa,
                    inputs: &[&[f64]],
                    outputs: &mut [&mut [f64]],
                    _: Scratch<'_>,
                ) -> Results {
                    let run: fn(&mut $field, &[f64], &mut [f64]) = $run;
                    run(&mut self.0, inputs[0], outputs[0]);
                    $known
                }

                fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
                    visit(&mut Plain(&mut self.0));
                }
            }
        };
    }

    struct Plain<'a, T>(&'a mut T);

    /// Saves nothing: right for a kernel without memory, wrong for any other.
    impl<T: Default> State for Plain<'_, T> {
        fn reset(&mut self) {
            *self.0 = T::default();
        }
        fn save(&self, _: &mut Writer) {}
        fn load(&mut self, _: &mut Reader<'_>) -> Result<(), Error> {
            Ok(())
        }
    }

    culprit!(LooksAhead, (), |(), x, y| {
        for t in 0..x.len() {
            y[t] = x[(t + 1).min(x.len() - 1)];
        }
    });
    culprit!(DependsOnBlockPosition, (), |(), x, y| {
        for t in 0..x.len() {
            y[t] = if t % 8 == 0 { x[t] } else { x[t] + 1.0 };
        }
    });
    culprit!(ForgetsToSave, f64, |sum, x, y| {
        for t in 0..x.len() {
            *sum += x[t];
            y[t] = *sum;
        }
    });
    culprit!(CountsCalls, f64, |calls, x, y| {
        *calls += 1.0;
        for t in 0..x.len() {
            y[t] = x[t] + *calls;
        }
    });
    culprit!(RunningSum, f64, |sum, x, y| {
        for t in 0..x.len() {
            let before = *sum;
            *sum += x[t];
            y[t] = *sum - before;
        }
    });
    culprit!(Allocates, (), |(), x, y| {
        let copy: Vec<f64> = x.iter().map(|x| x + 0.0).collect();
        y.copy_from_slice(&copy);
    });
    culprit!(
        KnowsTooMuch,
        (),
        |(), x, y| y.copy_from_slice(x),
        Results::Numbers
    );
    culprit!(StartsLate, f64, |bars, x, y| {
        for t in 0..x.len() {
            *bars += 1.0;
            y[t] = if *bars < 5.0 { NAN } else { x[t] };
        }
    });

    /// Takes the bars of every set of parameters through the first kernel.
    #[derive(Clone, Default)]
    struct OneForAll(f64);

    impl Kernel for OneForAll {
        const SPEC: &'static Spec = &spec("OneForAll");

        fn new(_: &Params<'_>) -> Result<Self, Error> {
            Ok(Self::default())
        }

        fn run(
            &mut self,
            _: Isa,
            inputs: &[&[f64]],
            outputs: &mut [&mut [f64]],
            _: Scratch<'_>,
        ) -> Results {
            for (x, y) in inputs[0].iter().zip(&mut *outputs[0]) {
                self.0 += 1.0;
                *y = x + self.0;
            }
            Results::Any
        }

        fn run_many(
            kernels: &mut [Self],
            isa: Isa,
            inputs: &[&[f64]],
            outputs: &mut [&mut [f64]],
            mut scratch: Scratch<'_>,
        ) -> Results {
            for output in outputs.chunks_mut(1) {
                let scratch = scratch.each_mut().map(|column| &mut **column);
                kernels[0].run(isa, inputs, output, scratch);
            }
            Results::Any
        }

        fn parts(&mut self, visit: &mut dyn FnMut(&mut dyn State)) {
            visit(&mut Plain(&mut self.0));
        }
    }

    /// Believes that scratch is clear.
    #[derive(Clone, Default)]
    struct ReadsScratch;

    impl Kernel for ReadsScratch {
        const SPEC: &'static Spec = &spec("ReadsScratch");
        const SCRATCH: usize = 1;

        fn new(_: &Params<'_>) -> Result<Self, Error> {
            Ok(Self)
        }

        fn run(
            &mut self,
            _: Isa,
            inputs: &[&[f64]],
            outputs: &mut [&mut [f64]],
            scratch: Scratch<'_>,
        ) -> Results {
            let [counts, ..] = scratch;
            for ((x, y), count) in inputs[0].iter().zip(&mut *outputs[0]).zip(counts) {
                *count += 1.0;
                *y = x + *count;
            }
            Results::Any
        }

        fn parts(&mut self, _: &mut dyn FnMut(&mut dyn State)) {}
    }

    fn rejected<K: Kernel>(law: Law) {
        let entry = Entry::of::<K>();
        assert!(sweep(law, &entry).is_err(), "{} passes", entry.spec.name);
    }

    #[test]
    fn every_law_rejects_its_culprit() {
        rejected::<LooksAhead>(split);
        rejected::<DependsOnBlockPosition>(split);
        rejected::<CountsCalls>(split);
        rejected::<ReadsScratch>(split);
        rejected::<ForgetsToSave>(resume);
        rejected::<RunningSum>(locality);
        rejected::<Allocates>(allocates_nothing);
        rejected::<StartsLate>(first_valid);
        rejected::<OneForAll>(many);
        rejected::<KnowsTooMuch>(canonical_nan);
    }
}
