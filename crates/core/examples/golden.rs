//! Does the plan that `tools/golden.py export` writes and prints a digest of every run: what is
//! compared between processors, operating systems and ways to compile.

use indicator_core::registry;
use sha2::{Digest, Sha256};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

const FIELDS: [&str; 5] = ["open", "high", "low", "close", "volume"];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1);
    let folder = PathBuf::from(folder.ok_or("usage: golden FOLDER")?);
    let plan = fs::read_to_string(folder.join("plan.txt"))?;
    let (mut data, mut runs) = (Vec::new(), Vec::new());
    for line in plan.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["data", name] => data.push((name, read_columns(&folder, name)?)),
            ["run", name, number, ref params @ ..] => {
                let params: Result<Vec<f64>, _> = params.iter().map(|word| word.parse()).collect();
                runs.push((name, number, params?));
            }
            _ => return Err(format!("no line of a plan: {line}").into()),
        }
    }
    for (name, number, params) in &runs {
        for (set, columns) in &data {
            let digest = digest(name, params, columns)?;
            println!("{name} {number} {set} {digest}");
        }
    }
    Ok(())
}

/// The columns stand one after the other.
fn read_columns(folder: &Path, name: &str) -> Result<[Vec<f64>; 5], Box<dyn Error>> {
    let bytes = fs::read(folder.join(format!("{name}.f64")))?;
    let (words, rest) = bytes.as_chunks::<8>();
    let bars = words.len() / FIELDS.len();
    if !rest.is_empty() || bars * FIELDS.len() != words.len() {
        return Err(format!("{name}.f64 does not hold five columns").into());
    }
    let value = |&word| f64::from_bits(u64::from_le_bytes(word));
    Ok(std::array::from_fn(|place| {
        let column = &words[place * bars..(place + 1) * bars];
        column.iter().map(value).collect()
    }))
}

/// Runs an indicator over all bars; SHA-256 of its outputs, one after the other.
fn digest(name: &str, params: &[f64], columns: &[Vec<f64>; 5]) -> Result<String, Box<dyn Error>> {
    let entry = registry::find(name).ok_or_else(|| format!("no indicator {name}"))?;
    let mut inputs: Vec<&[f64]> = Vec::new();
    for &input in entry.spec.inputs {
        let field = if input == "x" { "close" } else { input };
        let place = FIELDS.iter().position(|&known| known == field);
        inputs.push(&columns[place.ok_or_else(|| format!("no column {field}"))?]);
    }
    let mut results = vec![vec![0.0; columns[0].len()]; entry.spec.outputs.len()];
    let mut outputs: Vec<&mut [f64]> = results.iter_mut().map(Vec::as_mut_slice).collect();
    entry.create(params)?.run(&inputs, &mut outputs)?;
    let mut bytes = Vec::new();
    for value in results.iter().flatten() {
        bytes.extend_from_slice(&value.to_bits().to_le_bytes());
    }
    let hash = Sha256::digest(&bytes);
    let digits: Vec<String> = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(digits.concat())
}
