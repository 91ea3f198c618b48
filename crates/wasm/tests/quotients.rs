//! With AVX-512 there are two ways to a quotient, of which a processor takes the one that is quicker there. Here it takes both.
//!
//! In this crate, since calling what is compiled for an extension is `unsafe`, and the core has none of it.

#![cfg(target_arch = "x86_64")]

#[path = "../../core/tests/common/mod.rs"]
mod common;

use common::Rng;
use indicator_core::kernel::{Extension, Isa, Results};

#[target_feature(enable = "avx512f,avx512dq")]
fn ways() -> [Isa; 2] {
    [Isa::avx512_dividing(), Isa::avx512_multiplying()]
}

/// Two numbers whose quotient is as near to the middle of two others as any is that does not lie there. With their digits as
/// whole numbers, and the odd one of 54 bits that stands for the middle, `2^54 a = b middle + rest`.
fn nearly_halfway(random: &mut Rng) -> (f64, f64) {
    const MODULUS: u64 = 1 << 54;
    loop {
        let b = random.next() >> 12 | 1 << 52 | 1;
        // Newton's iteration doubles the digits that are right.
        let inverse = (0..6).fold(1_u64, |y, _| {
            y.wrapping_mul(2_u64.wrapping_sub(b.wrapping_mul(y)))
        });
        let rest = [1, 3, MODULUS - 1, MODULUS - 3][random.below(4)];
        let middle = (MODULUS - rest).wrapping_mul(inverse) % MODULUS;
        let product = u128::from(b) * u128::from(middle);
        if middle >> 53 == 1 && product >> 106 == 1 {
            let a = (product + (1 << 53)) >> 54;
            let digits = |x| f64::from_bits(1023 << 52 | (x & ((1 << 52) - 1)));
            return (digits(u64::try_from(a).expect("53 bits")), digits(b));
        }
    }
}

/// Numbers with quotients near the middle of two others, and some that no short way is for.
fn hard_to_divide(random: &mut Rng, count: usize) -> Vec<f64> {
    const ODD: [f64; 8] = [
        0.0,
        -0.0,
        f64::NAN,
        f64::INFINITY,
        -f64::INFINITY,
        5e-324,
        1e-300,
        1e300,
    ];
    const DIGITS: u64 = (1 << 52) - 1;
    let mut middle = 0;
    let mut number = |place: usize| {
        if place.is_multiple_of(512) {
            middle = 1023 - 300 + random.next() % 600;
        }
        if random.below(700) == 0 {
            return ODD[place % ODD.len()];
        }
        let any = random.next() & DIGITS;
        let short = any >> (40 + random.below(12));
        let kinds = [any, short, DIGITS ^ short, any & !((1 << 26) - 1)];
        let exponent = middle + random.next() % 80 - 40;
        f64::from_bits(random.next() << 63 | exponent << 52 | kinds[place / 64 % 4])
    };
    (0..count).map(&mut number).collect()
}

/// The bits of numbers, those of all NaNs alike; there is none where none is claimed to be.
fn bits(claim: Results, numbers: &[f64]) -> Vec<u64> {
    assert!(claim == Results::Any || numbers.iter().all(|x| !x.is_nan()));
    numbers
        .iter()
        .map(|x| if x.is_nan() { f64::NAN } else { *x }.to_bits())
        .collect()
}

/// Everything that is a quotient, of two columns.
fn quotients(isa: Isa, a: &[f64], b: &[f64]) -> Vec<Vec<u64>> {
    let mut found = Vec::new();
    let mut out = a.to_vec();
    found.push(bits(isa.quotients(100.0, &mut out, b), &out));
    let (mut first, mut second) = (a.to_vec(), a.iter().rev().copied().collect::<Vec<_>>());
    let known = isa.two_quotients(1.0, [&mut first, &mut second], b);
    found.extend([bits(known, &first), bits(known, &second)]);
    found.push(bits(isa.changes(100.0, a, b, &mut out), &out));
    found.push(bits(isa.contrasts(100.0, a, b, &mut out), &out));
    out.copy_from_slice(a);
    found.push(bits(
        isa.shares(100.0, &mut out, b, Results::Any, |a, _| a),
        &out,
    ));
    found
}

#[test]
fn both_ways_lead_to_the_same_quotients() {
    if !Extension::Avx512.is_present() {
        eprintln!("no AVX-512 here");
        return;
    }
    // SAFETY: the processor has what it is compiled for.
    let ways = unsafe { ways() };
    let mut random = Rng::new(1);
    let (a, b): (Vec<f64>, Vec<f64>) = (0..100_000).map(|_| nearly_halfway(&mut random)).unzip();
    for isa in ways {
        assert!(quotients(isa, &a, &b) == quotients(Isa::PORTABLE, &a, &b));
    }
    for _ in 0..40 {
        let (a, b) = (
            hard_to_divide(&mut random, 40_009),
            hard_to_divide(&mut random, 40_009),
        );
        // Where numerator and denominator are near each other, so are a change and what may be lost in it.
        let near: Vec<f64> = a
            .iter()
            .map(|x| f64::from_bits(x.to_bits() ^ random.next() >> 44))
            .collect();
        for b in [&b, &near] {
            let expected = quotients(Isa::PORTABLE, &a, b);
            for isa in ways {
                assert!(quotients(isa, &a, b) == expected);
            }
        }
    }
}
