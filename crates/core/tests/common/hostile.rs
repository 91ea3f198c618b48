//! Hostile cases: any parameters, any bits, any cutting, forged states. A case is made from a
//! [`Source`] of choices, so that a seed, or a fuzzer, can drive it; it gives a digest of all that
//! came out, so that two backends can be compared over millions of cases by one number.
//!
//! What every case checks: nothing panics; parameters are refused exactly when the spec says so;
//! all outputs are written, every NaN is the canonical one; any cutting, with the state cloned or
//! saved and restored at the cuts, gives the bits and the saved bytes of one run; a refused call
//! changes nothing; a reset machine is a new one. A state forged with a right checksum is either
//! refused, or gives a machine of which the same is true.

#![allow(dead_code, reason = "every user of it uses a part")]

use crate::common::{Rng, bits};
use indicator_core::kernel::Machine;
use indicator_core::primitives::NAN;
use indicator_core::registry::Entry;
use indicator_core::spec::{Domain, Spec};
use indicator_core::{Error, primitives::recurrence};

/// [`Machine::run`], or what a backend has in its place.
pub(crate) type Run = fn(&mut dyn Machine, &[&[f64]], &mut [&mut [f64]]) -> Result<(), Error>;

/// The machine's own run, with the instructions that every machine has.
pub(crate) const PORTABLE: Run = |machine, inputs, outputs| machine.run(inputs, outputs);

/// Where the choices come from.
pub(crate) trait Source {
    /// A number of so many bytes, eight at most.
    fn take(&mut self, bytes: u32) -> u64;

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        let bytes = if end <= 1 << 8 { 1 } else { 4 };
        usize::try_from(self.take(bytes) % end as u64).expect("below a usize")
    }

    /// One of several.
    fn one_of<T: Copy>(&mut self, all: &[T]) -> T
    where
        Self: Sized,
    {
        all[self.below(all.len())]
    }
}

impl Source for Rng {
    fn take(&mut self, bytes: u32) -> u64 {
        self.next() >> (64 - 8 * bytes)
    }
}

/// A fuzzer's bytes, then zeros.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Source for Bytes<'_> {
    fn take(&mut self, bytes: u32) -> u64 {
        let mut value = 0;
        for _ in 0..bytes {
            let byte = self.0.split_off_first().copied().unwrap_or(0);
            value = value << 8 | u64::from(byte);
        }
        value
    }
}

/// Order matters, and every bit does.
#[derive(Default)]
struct Digest(u64);

impl Digest {
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks();
        for &word in words {
            self.word(u64::from_le_bytes(word));
        }
        for &byte in rest {
            self.word(u64::from(byte));
        }
    }
}

/// Runs cases `first ..` of a kernel; returns the sum of their digests.
///
/// # Panics
/// At the first violation, or when the kernel does; standard error then tells the case.
pub(crate) fn sweep(entry: &Entry, run: Run, first: u64, cases: u64) -> u64 {
    struct Current<'a>(&'a Entry, u64);
    impl Drop for Current<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("that was case {} of {}", self.1, self.0.spec.name);
            }
        }
    }
    let mut sum = 0u64;
    let mut current = Current(entry, first);
    for number in first..first + cases {
        current.1 = number;
        match case(entry, run, &mut Rng::new(number + 1)) {
            Ok(digest) => sum = sum.wrapping_add(digest),
            Err(what) => panic!("{}: {what}", entry.spec.name),
        }
    }
    sum
}

/// One case: a new machine, then one restored from a forged state.
pub(crate) fn case(entry: &Entry, run: Run, from: &mut impl Source) -> Result<u64, String> {
    let mut digest = Digest::default();
    let params = params(entry.spec, from);
    let machine = match entry.create(&params) {
        Ok(machine) if entry.spec.check(&params).is_ok() => machine,
        Ok(_) => return Err(format!("takes {params:?}")),
        Err(error) => {
            if matches!(error, Error::Count { .. }) && entry.spec.check(&params).is_ok() {
                return Err(format!("refuses {params:?}: {error}"));
            }
            digest.bytes(error.to_string().as_bytes());
            return Ok(digest.0);
        }
    };
    let blank = machine.save();
    let mut machine = laws(entry, run, machine, from, &mut digest)
        .map_err(|what| format!("{params:?}: {what}"))?;
    let mut state = machine.save();
    machine.reset();
    if machine.save() != blank {
        return Err(format!("{params:?}: a reset machine is not a new one"));
    }
    forge(&mut state, from);
    restored(entry, run, &state, from, &mut digest)?;
    Ok(digest.0)
}

/// A machine from bytes of any origin, if it can be had; the laws hold for it too.
pub(crate) fn restore_case(
    entry: &Entry,
    run: Run,
    state: &[u8],
    from: &mut impl Source,
) -> Result<u64, String> {
    let mut digest = Digest::default();
    restored(entry, run, state, from, &mut digest)?;
    Ok(digest.0)
}

fn restored(
    entry: &Entry,
    run: Run,
    state: &[u8],
    from: &mut impl Source,
    digest: &mut Digest,
) -> Result<(), String> {
    match entry.restore(state) {
        Ok(machine) => {
            digest.word(1);
            laws(entry, run, machine, from, digest)
                .map(drop)
                .map_err(|what| format!("restored from {state:?}: {what}"))
        }
        Err(error) => {
            digest.bytes(error.to_string().as_bytes());
            Ok(())
        }
    }
}

/// Runs a machine on from wherever it is, in one and in several ways; returns it.
fn laws(
    entry: &Entry,
    run: Run,
    mut machine: Box<dyn Machine>,
    from: &mut impl Source,
    digest: &mut Digest,
) -> Result<Box<dyn Machine>, String> {
    let bars = match from.below(64) {
        0 => from.below(1100),
        _ => from.below(41),
    };
    let data: Vec<Vec<f64>> = entry
        .spec
        .inputs
        .iter()
        .map(|_| column(bars, from))
        .collect();
    let outputs = entry.spec.outputs.len();
    let mut other = machine.boxed_clone();

    let mut whole = vec![vec![UNWRITTEN; bars]; outputs];
    run_part(run, machine.as_mut(), &data, &mut whole, 0, bars).map_err(|e| e.to_string())?;
    for value in whole.iter().flatten() {
        if value.is_nan() && bits(*value) != bits(NAN) {
            return Err(format!("gives the NaN {:#x}", bits(*value)));
        }
        digest.word(bits(*value));
    }

    let mut pieces = vec![vec![UNWRITTEN; bars]; outputs];
    let mut start = 0;
    loop {
        // Zero, which a fuzzer's bytes end in, has to get ahead.
        let end = match from.below(25) {
            24 => start,
            more => bars.min(start + 1 + more),
        };
        let what = from.below(8);
        if what < 3 {
            interrupt(entry, &mut other, what)?;
        }
        run_part(run, other.as_mut(), &data, &mut pieces, start, end).map_err(|e| e.to_string())?;
        start = end;
        if start == bars {
            break;
        }
    }
    for (output, (expected, found)) in whole.iter().zip(&pieces).enumerate() {
        if let Some(bar) = (0..bars).find(|&bar| bits(expected[bar]) != bits(found[bar])) {
            let (expected, found) = (expected[bar], found[bar]);
            return Err(format!(
                "output {output}, bar {bar}: {found:?} instead of {expected:?} on {data:?}"
            ));
        }
    }
    let state = machine.save();
    if other.save() != state {
        return Err(format!("saved bytes tell the cutting of {data:?}"));
    }
    digest.bytes(&state);
    Ok(machine)
}

/// Something that must not make a difference.
fn interrupt(entry: &Entry, machine: &mut Box<dyn Machine>, what: usize) -> Result<(), String> {
    let (state, taken) = (machine.save(), machine.bars());
    match what {
        0 => *machine = machine.boxed_clone(),
        1 => {
            *machine = entry
                .restore(&state)
                .map_err(|error| format!("does not load what it saved: {error}"))?;
        }
        _ => {
            let short = vec![[0.0; 3].as_slice(); entry.spec.inputs.len()];
            let mut results = vec![[0.0; 2]; entry.spec.outputs.len()];
            let mut outputs: Vec<&mut [f64]> = results.iter_mut().map(|out| &mut out[..]).collect();
            if machine.run(&short, &mut outputs).is_ok() || machine.run(&short, &mut []).is_ok() {
                return Err("takes columns of the wrong shape".into());
            }
        }
    }
    if (machine.save(), machine.bars()) != (state, taken) {
        return Err("a clone, a restored state or a refused call differs".into());
    }
    Ok(())
}

/// No kernel gives this: a NaN that is not the canonical one.
const UNWRITTEN: f64 = f64::from_bits(0x7ff4_dead_dead_dead);

fn run_part(
    run: Run,
    machine: &mut dyn Machine,
    data: &[Vec<f64>],
    results: &mut [Vec<f64>],
    start: usize,
    end: usize,
) -> Result<(), Error> {
    let inputs: Vec<&[f64]> = data.iter().map(|column| &column[start..end]).collect();
    let mut outputs: Vec<&mut [f64]> = results.iter_mut().map(|out| &mut out[start..end]).collect();
    run(machine, &inputs, &mut outputs)
}

/// Values at which something changes: sign, class, exponent, the limits of the primitives.
const EDGES: [f64; 20] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    100.0,
    f64::INFINITY,
    f64::NEG_INFINITY,
    NAN,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    5e-324,
    -5e-324,
    1e-310,
    1e12,
    1e300,
    recurrence::LIMIT,
    -recurrence::LIMIT,
    f64::from_bits(recurrence::LIMIT.to_bits() - 1),
    f64::from_bits(0x7ff0_0000_0000_0001),
];

fn any_bits(from: &mut impl Source) -> f64 {
    f64::from_bits(from.take(8))
}

/// Mostly valid parameters, most of them small, some of them of every size that is allowed.
fn params(spec: &Spec, from: &mut impl Source) -> Vec<f64> {
    let mut params: Vec<f64> = spec
        .params
        .iter()
        .map(|param| parameter(param.domain, from))
        .collect();
    match from.below(128) {
        0 => drop(params.pop()),
        1 => params.push(1.0),
        _ => {}
    }
    params
}

fn parameter(domain: Domain, from: &mut impl Source) -> f64 {
    let (min, max) = domain.bounds();
    let valid = |value: f64| value.clamp(min, max);
    match (from.below(64), domain) {
        (0, _) => match from.below(10) {
            0 => min - 1.0,
            1 => max + 1.0,
            2 => min + 0.5,
            3 => 1_099_511_627_776.0,
            4 => any_bits(from),
            _ => from.one_of(&EDGES),
        },
        (1, _) => min,
        (_, Domain::Choice(words)) => from.below(words.len()) as f64,
        (_, Domain::Flag { .. }) => from.below(2) as f64,
        (2..32, Domain::Optional(_)) => NAN,
        (_, Domain::Optional(domain)) => parameter(*domain, from),
        (2, Domain::Float { .. }) => max,
        (3, Domain::Float { .. }) => valid(from.one_of(&EDGES)),
        (4..20, Domain::Float { .. }) => valid(any_bits(from).abs()),
        // Shares of a whole: below one half, since some must not add up to one.
        (_, Domain::Float { .. }) if max - min <= 1.0 => min + from.take(2) as f64 / 131_072.0,
        (_, Domain::Float { .. }) => valid(min + from.take(2) as f64 / 16384.0),
        // A long period costs megabytes: seldom.
        (2, Domain::Integer { .. }) => {
            let digits = if from.below(64) == 0 { 21 } else { 10 };
            let period = (1 << from.below(digits)) + from.below(3);
            valid(period as f64 - 1.0)
        }
        (3..9, Domain::Integer { .. }) => valid(min + from.below(140) as f64),
        (_, Domain::Integer { .. }) => valid(min + from.below(24) as f64),
    }
}

/// A column of one of several characters.
fn column(bars: usize, from: &mut impl Source) -> Vec<f64> {
    let character = from.below(8);
    let one = from.one_of(&EDGES);
    let mut price = 100.0;
    let mut value = || match character {
        0 => any_bits(from),
        1 => from.one_of(&EDGES),
        // A constant with spikes.
        2 | 3 => {
            if from.below(12) == 0 {
                from.one_of(&EDGES)
            } else {
                one
            }
        }
        // Any sign and exponent, few digits.
        4 => f64::from_bits(from.take(2) << 48),
        // Ties and zeros.
        5 => from.below(5) as f64 - 2.0,
        // Prices with gaps.
        6 => {
            price += from.below(201) as f64 / 100.0 - 1.0;
            if from.below(10) == 0 { NAN } else { price }
        }
        // Prices at which differences cancel or overflow.
        _ => one + from.below(16) as f64 * 1e-3,
    };
    (0..bars).map(|_| value()).collect()
}

/// Changes a saved state a little or a lot, and mostly corrects its checksum.
fn forge(state: &mut Vec<u8>, from: &mut impl Source) {
    for _ in 0..=from.below(3) {
        let len = state.len();
        let at = from.below(len);
        match from.below(8) {
            0 => state.truncate(at),
            1 => state.extend((0..from.below(20)).map(|_| 0)),
            2 | 3 => state[at] ^= 1 << from.below(8),
            4 => state[at] = [0, 1, 2, 7, 8, 0x7f, 0x80, 0xff][from.below(8)],
            kind => {
                // The fields of eight bytes are found from the end, past the checksum.
                let back = 4 + 8 * (1 + from.below(12)) + from.below(2);
                let Some(start) = len.checked_sub(back) else {
                    continue;
                };
                let word = match kind {
                    5 => [0, 1, 7, 8, 19, 20, u64::MAX - 1, u64::MAX, 1 << 63][from.below(9)],
                    6 => from.take(8),
                    _ => bits(from.one_of(&EDGES)),
                };
                state[start..start + 8].copy_from_slice(&word.to_le_bytes());
            }
        }
        if state.is_empty() {
            return;
        }
    }
    if from.below(16) != 0 {
        seal(state);
    }
}

/// Gives a state the checksum that it should have.
pub(crate) fn seal(state: &mut [u8]) {
    if let Some(body) = state.len().checked_sub(4) {
        let checksum = crc32(&state[..body]);
        state[body..].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// CRC-32 as in IEEE 802.3, half a byte at a time.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut index: u32 = 0;
        while index < 16 {
            let mut crc = index;
            let mut bit = 0;
            while bit < 4 {
                crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
                bit += 1;
            }
            table[index as usize] = crc;
            index += 1;
        }
        table
    };
    let half =
        |crc: u32, bits: u8| TABLE[usize::from((crc.to_le_bytes()[0] ^ bits) & 15)] ^ crc >> 4;
    !bytes
        .iter()
        .fold(!0, |crc, &byte| half(half(crc, byte), byte >> 4))
}
